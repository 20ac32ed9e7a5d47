#include <algorithm>

#include "api/support.h"
#include "cli/commands/commands.h"
#include "cli/commands/common.h"
#include "cli/terminal/deferred_interrupt.h"
#include "cli/terminal/terminal.h"

namespace qlathe::cli {
namespace {

/// As --format says, or the output's name.
bool is_tflite(const Arguments& arguments) {
  const std::string format = arguments.get("format");
  return format.empty() ? arguments.get("output").ends_with(".tflite") : format == "tflite";
}

Status write(const Arguments& arguments) {
  ProgressBar bar;
  QL_ASSIGN(const QuantizedModel quantized, read_quantized(arguments, bar.callback()));
  std::string bytes;
  if (is_tflite(arguments)) {
    QL_ASSIGN(bytes, export_tflite_model(quantized));
  } else {
    QL_ASSIGN(bytes, export_model(quantized, arguments.number("opset")));
  }
  const DeferredInterrupt whole_or_nothing;
  return write_file(arguments.get("output"), bytes);
}

}  // namespace

Command export_command() {
  Command command;
  command.name = "export";
  command.summary = "write a model, quantized or not, as ONNX or TFLite";
  command.operands = {"MODEL"};
  command.details =
      "Applies the model's rules and writes the result as an ONNX graph with QuantizeLinear and DequantizeLinear\n"
      "(QDQ) around float operators, which other runtimes read. Integers of fewer than eight bits are kept in bytes,\n"
      "limited by Clip (QCDQ). An output that ends in .tflite becomes a TFLite model: under the rules of an ODML\n"
      "provider a full-integer one, which LiteRT runs with the integers that qlathe compiles.";
  add_quantize_options(command.options);
  command.options.push_back({"opset", kNumber, "of the file: 13 or 21", 0, "21", {}});
  command.options.push_back({"format", "FORMAT", "onnx or tflite; by default as the output's name ends", 0, "", {}});
  command.options.push_back({"output", "FILE", "where the model goes: FILE.onnx or FILE.tflite", 'o', "", {}});
  command.example =
      "  qlathe export examples/digits/digits.json --rules examples/digits/rules/int8_static.json \\\n"
      "      --calibration examples/digits/calibration.npz -o digits_int8.onnx";
  command.run = [](const Arguments& arguments) -> int {
    const std::string format = arguments.get("format");
    if (!format.empty() && format != "onnx" && format != "tflite") {
      print_error("--format: '" + format + "' is not written; onnx and tflite are");
      return kUsage;
    }
    if (!arguments.get("output").empty()) return finish(write(arguments));
    print_error("-o is missing; name the file that the model goes to: -o FILE.onnx or -o FILE.tflite");
    return kUsage;
  };
  return command;
}

}  // namespace qlathe::cli
