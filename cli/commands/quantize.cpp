#include <cmath>
#include <cstdio>

#include "api/layer_error.h"
#include "api/native_executor.h"
#include "api/support.h"
#include "cli/commands/commands.h"
#include "cli/commands/common.h"
#include "cli/terminal/deferred_interrupt.h"
#include "cli/terminal/terminal.h"

namespace qlathe::cli {
namespace {

Status calibrate(const Arguments& arguments) {
  QL_ASSIGN(const SourceModel source, read_given_model(arguments));
  ProgressBar bar;
  const std::unique_ptr<Executor> executor = native_executor(true);
  QL_ASSIGN(const QuantizedModel quantized,
            quantize_model(source, quantize_inputs(arguments), *executor, bar.callback()));
  if (!quantized.has_rules)
    return Status::user({source.path, "", ""}, "has no rules, so there is nothing to calibrate", "give --rules");
  if (quantized.statistics.empty()) {
    print_warning("no rule asks for static activations (act_static_scale); the statistics are empty");
  }
  const std::string text = write_statistics(quantized.statistics);
  if (arguments.get("output").empty()) {
    std::fputs(text.c_str(), stdout);
    return {};
  }
  const DeferredInterrupt whole_or_nothing;
  return write_file(arguments.get("output"), text);
}

/// --compare: the error that quantization makes, layer by layer.
Status compare(const Arguments& arguments, const Graph& quantized) {
  QL_ASSIGN(const SourceModel source, read_given_model(arguments));
  QL_ASSIGN(const CalibrationBatches batches, read_batches(source.graph, arguments.get("compare")));
  const std::unique_ptr<Executor> executor = native_executor(true);
  QL_ASSIGN(const std::vector<LayerError> layers, measure_layers(source.graph, quantized, batches, *executor));
  if (arguments.has("json")) {
    JsonText json;
    json.object().key("layers").array();
    for (const LayerError& layer : layers) {
      json.object().member("layer", layer.layer).member("module", layer.module).member("shape", to_string(layer.shape));
      if (std::isfinite(layer.sqnr_db)) json.member("sqnr_db", layer.sqnr_db);
      json.member("largest", layer.largest).member("largest_difference", layer.difference).end();
    }
    std::fputs(json.end().end().text().c_str(), stdout);
    return {};
  }
  Table table({"layer", "module", "shape", ">SQNR dB", ">largest", ">largest difference"});
  for (const LayerError& layer : layers) {
    char numbers[3][32];
    std::snprintf(numbers[0], sizeof numbers[0], std::isfinite(layer.sqnr_db) ? "%.1f" : "equal", layer.sqnr_db);
    std::snprintf(numbers[1], sizeof numbers[1], "%.4g", layer.largest);
    std::snprintf(numbers[2], sizeof numbers[2], "%.4g", layer.difference);
    table.row({layer.layer, layer.module, to_string(layer.shape), numbers[0], numbers[1], numbers[2]});
  }
  std::fputs(table.text().c_str(), stdout);
  return {};
}

Status quantize(const Arguments& arguments) {
  ProgressBar bar;
  QL_ASSIGN(const QuantizedModel quantized, read_quantized(arguments, bar.callback()));
  if (!arguments.get("compare").empty()) {
    QL_RETURN_IF_ERROR(compare(arguments, quantized.graph));
    if (arguments.get("output").empty()) return {};
  }
  if (!quantized.has_rules) print_warning("there are no rules: the graph is written as it is");
  const std::string output = arguments.get("output");
  if (output.empty()) {
    PrintOptions options;
    std::fputs(print_graph(quantized.graph, options).text.c_str(), stdout);
    return {};
  }
  const DeferredInterrupt whole_or_nothing;
  return save_graph(output, quantized.graph);
}

}  // namespace

Command calibrate_command() {
  Command command;
  command.name = "calibrate";
  command.summary = "collect statistics of activations over batches of inputs";
  command.operands = {"MODEL"};
  command.details =
      "Runs the model over batches and writes the statistics that rules with act_static_scale need, in the shape of\n"
      "Qwix's quant_stats. 'qlathe compile --statistics' reads them, so that the data is needed once.";
  add_quantize_options(command.options);
  std::erase_if(command.options,
                [](const Option& o) { return o.name == "statistics" || o.name == "allow-extra-params"; });
  command.options.push_back({"output", "FILE", "where the statistics go; standard output where absent", 'o', "", {}});
  command.example =
      "  qlathe calibrate examples/digits/digits.json --rules examples/digits/rules/int8_static.json \\\n"
      "      --calibration examples/digits/calibration.npz -o statistics.json";
  command.run = [](const Arguments& arguments) -> int {
    if (!arguments.get("calibration").empty()) return finish(calibrate(arguments));
    print_error("--calibration is missing; give an .npz with batches for every input");
    return kUsage;
  };
  return command;
}

Command quantize_command() {
  Command command;
  command.name = "quantize";
  command.summary = "apply rules and write the integer graph as text";
  command.operands = {"MODEL"};
  command.details =
      "Writes the quantized graph in the text form, which every command reads as a model. Constants of more than a "
      "few\n"
      "elements go to FILE.npz beside it. Without -o the text alone is printed.";
  add_quantize_options(command.options);
  command.options.push_back({"output", "FILE.qir", "where the graph goes", 'o', "", {}});
  command.options.push_back(
      {"compare",
       "DATA.npz",
       "batches to run the float and the quantized model on: shows the signal-to-noise ratio of every "
       "layer, as a table or with --json",
       0,
       "",
       {}});
  command.options.push_back(json_option());
  command.example =
      "  qlathe quantize examples/perceptron/perceptron.json --rules examples/perceptron/int8.json \\\n"
      "      --calibration examples/perceptron/calibration.npz -o perceptron_int8.qir";
  command.run = [](const Arguments& arguments) { return finish(quantize(arguments)); };
  return command;
}

}  // namespace qlathe::cli
