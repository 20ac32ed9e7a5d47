#include <algorithm>

#include "api/support.h"
#include "cli/commands/commands.h"
#include "cli/commands/common.h"
#include "cli/terminal/deferred_interrupt.h"
#include "cli/terminal/terminal.h"

namespace qlathe::cli {
namespace {

Status write(const Arguments& arguments) {
  ProgressBar bar;
  QL_ASSIGN(const QuantizedModel quantized, read_quantized(arguments, bar.callback()));
  QL_ASSIGN(const std::string bytes, export_model(quantized.graph, arguments.number("opset")));
  const DeferredInterrupt whole_or_nothing;
  return write_file(arguments.get("output"), bytes);
}

}  // namespace

Command export_command() {
  Command command;
  command.name = "export";
  command.summary = "write a model, quantized or not, as ONNX";
  command.operands = {"MODEL"};
  command.details =
      "Applies the model's rules and writes the result as an ONNX graph with QuantizeLinear and DequantizeLinear\n"
      "(QDQ) around float operators, which other runtimes read. Integers of fewer than eight bits are kept in bytes,\n"
      "limited by Clip (QCDQ).";
  add_quantize_options(command.options);
  command.options.push_back({"opset", kNumber, "of the file: 13 or 21", 0, "21", {}});
  command.options.push_back({"output", "FILE.onnx", "where the model goes", 'o', "", {}});
  command.example =
      "  qlathe export examples/digits/digits.json --rules examples/digits/rules/int8_static.json \\\n"
      "      --calibration examples/digits/calibration.npz -o digits_int8.onnx";
  command.run = [](const Arguments& arguments) -> int {
    if (!arguments.get("output").empty()) return finish(write(arguments));
    print_error("-o is missing; name the file that the model goes to: -o FILE.onnx");
    return kUsage;
  };
  return command;
}

}  // namespace qlathe::cli
