#include <algorithm>
#include <cstdio>
#include <thread>

#include "api/layers.h"
#include "api/output.h"
#include "api/support.h"
#include "cli/commands/commands.h"
#include "cli/commands/common.h"
#include "cli/terminal/terminal.h"

namespace qlathe::cli {
namespace {

void print_json(const Graph& graph, const std::vector<LayerInfo>& layers) {
  JsonText json;
  const auto types = [&](const char* key, const std::vector<TensorType>& list) {
    json.key(key).array();
    for (const TensorType& t : list)
      json.object().member("type", name(t.type)).member("shape", t.shape).end();
    json.end();
  };
  const auto tensors = [&](const char* key, const std::vector<TensorId>& ids) {
    json.key(key).array();
    for (const TensorId id : ids)
      json.object()
          .member("name", graph[id].name)
          .member("type", name(graph[id].type.type))
          .member("shape", graph[id].shape())
          .end();
    json.end();
  };
  json.object().member("name", graph.name);
  tensors("inputs", graph.inputs);
  tensors("outputs", graph.outputs);
  int64_t parameters = 0, bytes = 0, macs = 0;
  json.key("layers").array();
  for (const LayerInfo& layer : layers) {
    json.object().member("name", layer.name).member("module_path", layer.module_path).member("op", layer.op);
    types("inputs", layer.inputs);
    types("constants", layer.constants);
    types("outputs", layer.outputs);
    json.member("parameters", layer.parameters).member("parameter_bytes", layer.parameter_bytes);
    json.member("macs", layer.macs).end();
    parameters += layer.parameters;
    bytes += layer.parameter_bytes;
    macs += layer.macs;
  }
  json.end().member("parameters", parameters).member("parameter_bytes", bytes).member("macs", macs);
  std::fputs(json.end().text().c_str(), stdout);
}

void print_table(const Graph& graph, const std::vector<LayerInfo>& layers) {
  std::printf("model %s\n", graph.name.c_str());
  for (const TensorId id : graph.inputs)
    std::printf("  input   %s: %s\n", graph[id].name.c_str(), type_text(graph[id].type).c_str());
  for (const TensorId id : graph.outputs)
    std::printf("  output  %s: %s\n", graph[id].name.c_str(), type_text(graph[id].type).c_str());
  std::printf("\n");
  Table table({"layer", "op", "in", "weights", "out", ">parameters", ">bytes", ">MACs"});
  int64_t parameters = 0, bytes = 0, macs = 0;
  for (const LayerInfo& layer : layers) {
    table.row({layer.name, layer.op, types_text(layer.inputs),
               layer.macs > 0 && !layer.constants.empty() ? type_text(layer.constants[0]) : "",
               types_text(layer.outputs), layer.parameters ? grouped(layer.parameters) : "",
               layer.parameters ? grouped(layer.parameter_bytes) : "", layer.macs ? grouped(layer.macs) : ""});
    parameters += layer.parameters;
    bytes += layer.parameter_bytes;
    macs += layer.macs;
  }
  table.rule();
  table.row(
      {std::to_string(layers.size()) + " layers", "", "", "", "", grouped(parameters), grouped(bytes), grouped(macs)});
  std::fputs(table.text().c_str(), stdout);
}

/// --memory: where every tensor is, and when.
Status inspect_memory(const Arguments& arguments, const Target& target) {
  ProgressBar bar;
  QL_ASSIGN(const QuantizedModel quantized, read_quantized(arguments, bar.callback()));
  OutputOptions options;
  options.target = target.name;
  options.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  options.progress = bar.callback();
  QL_RETURN_IF_ERROR(set_row_options(arguments, options));
  QL_ASSIGN(const MemoryReport report, memory_report(quantized.graph, options));
  if (arguments.has("svg")) {
    QL_RETURN_IF_ERROR(write_file(arguments.get("svg"), report.svg));
  }
  std::fputs(report.text.c_str(), stdout);
  return {};
}

Status inspect(const Arguments& arguments) {
  const std::string stage = arguments.get("stage");
  Graph graph;
  if (stage == "model") {
    QL_ASSIGN(SourceModel source, read_given_model(arguments));
    graph = std::move(source.graph);
  } else {
    ProgressBar bar;
    QL_ASSIGN(QuantizedModel quantized, read_quantized(arguments, bar.callback()));
    graph = std::move(quantized.graph);
    if (stage == "lowered") {
      QL_ASSIGN(graph, canonical_graph(std::move(graph)));
    }
  }
  const std::vector<LayerInfo> layers = list_layers(graph);
  if (arguments.has("json"))
    print_json(graph, layers);
  else
    print_table(graph, layers);
  return {};
}

}  // namespace

Command inspect_command() {
  Command command;
  command.name = "inspect";
  command.summary = "table of a model's layers: shapes, types, parameters, multiply-accumulates";
  command.operands = {"MODEL"};
  command.details =
      "Shows the model as its file states it, as the rules make it (--stage quantized), or in the form that kernels "
      "are\n"
      "made of (--stage lowered). Bytes are those of packed constants.";
  command.options = {{"stage", "STAGE", "which graph to show", 0, "model", {"model", "quantized", "lowered"}}};
  command.options.push_back({"memory", "", "show the memory plan instead (kernels' scratch not included)", 0, "", {}});
  command.options.push_back({"target", "TARGET", "whose kernels the memory plan is for", 't', "host", {}});
  command.options.push_back({"svg", "FILE.svg", "with --memory: draw the plan", 0, "", {}});
  add_row_options(command.options);
  add_quantize_options(command.options);
  command.options.push_back(json_option());
  command.example =
      "  qlathe inspect examples/digits/digits.json\n"
      "  qlathe inspect examples/digits/digits.json --memory --target generic --svg memory.svg";
  command.run = [](const Arguments& arguments) {
    if (!arguments.has("memory")) return finish(inspect(arguments));
    const Target* const target = find_target(arguments.get("target"));
    return target == nullptr ? static_cast<int>(kUsage) : finish(inspect_memory(arguments, *target));
  };
  return command;
}

}  // namespace qlathe::cli
