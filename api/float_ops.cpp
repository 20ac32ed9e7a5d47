#include "api/float_ops.h"

#include <algorithm>

#include "frontend/ops/contraction.h"
#include "frontend/ops/pointwise.h"

namespace qlathe {
namespace {

/// A tensor of real numbers that is computed while the model runs; single numbers (dynamic scales) are none.
bool is_real(const Graph& graph, TensorId id) {
  if (!id.valid() || graph[id].is_constant()) return false;
  return is_float(graph[id].type.type) && element_count(graph[id].shape()) > 1;
}

bool is_view(const Node& node) { return node.op == "reshape"; }

/// Follows views back to where the data was made.
TensorId origin_of(const Graph& graph, TensorId id) {
  for (int producer = graph.producer(id); producer >= 0; producer = graph.producer(id)) {
    const Node& node = graph.nodes[static_cast<size_t>(producer)];
    if (!is_view(node)) break;
    id = node.inputs[0];
  }
  return id;
}

bool is_model_input(const Graph& graph, TensorId id) {
  return std::find(graph.inputs.begin(), graph.inputs.end(), origin_of(graph, id)) != graph.inputs.end();
}

/// Every reader of the tensor, through views, is the model's output.
bool only_output(const Graph& graph, TensorId id) {
  bool any = graph.is_output(id);
  for (int reader : graph.consumers(id)) {
    const Node& node = graph.nodes[static_cast<size_t>(reader)];
    if (!is_view(node) || !only_output(graph, node.outputs[0])) return false;
    any = true;
  }
  return any;
}

std::string accumulates_in_float(const Node& node) {
  ValueType accumulator = ValueType::kI32;
  if (node.op == "contraction") accumulator = node.as<ContractionAttrs>().accumulator;
  if (node.op == "depthwise") accumulator = node.as<DepthwiseAttrs>().accumulator;
  return is_float(accumulator) ? std::string("sums in ") + name(accumulator) : "";
}

bool quantizes_first(const Node& node) {
  if (node.op != "pointwise") return false;
  const auto& steps = node.as<PointwiseAttrs>().steps;
  return !steps.empty() && (steps[0].op == "quantize" || (steps[0].op == "cast" && is_integer(steps[0].type)));
}

}  // namespace

std::vector<FloatOp> list_float_ops(const Graph& graph) {
  std::vector<FloatOp> out;
  for (const Node& node : graph.nodes) {
    if (is_view(node)) continue;
    std::string reason = accumulates_in_float(node);
    for (size_t i = 0; reason.empty() && i < node.inputs.size(); i++) {
      const TensorId id = node.inputs[i];
      if (!is_real(graph, id)) continue;
      if (i == 0 && quantizes_first(node) && is_model_input(graph, id)) continue;
      reason = "reads " + std::string(name(graph[id].type.type)) + " " + graph[id].name;
    }
    for (TensorId id : node.outputs) {
      if (!reason.empty() || !is_real(graph, id) || only_output(graph, id)) continue;
      reason = "gives " + std::string(name(graph[id].type.type)) + " " + graph[id].name;
    }
    if (!reason.empty()) out.push_back({node.origin.name, node.op, reason});
  }
  return out;
}

}  // namespace qlathe
