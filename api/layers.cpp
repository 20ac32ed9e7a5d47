#include "api/layers.h"

#include <set>

#include "frontend/ops/contraction.h"

namespace qlathe {
namespace {

std::string op_text(const Node& node) {
  const auto* pointwise = dynamic_cast<const PointwiseAttrs*>(node.attrs.get());
  if (pointwise == nullptr) return node.op;
  std::string steps;
  for (const PointwiseStep& step : pointwise->steps)
    steps += (steps.empty() ? "" : ", ") + step.op;
  return steps;
}

}  // namespace

int64_t node_macs(const Graph& graph, const Node& node) {
  if (node.outputs.empty() || node.inputs.size() < 2) return 0;
  const int64_t results = element_count(graph[node.outputs[0]].shape());
  const auto shape = [&](size_t i) -> const Shape& { return graph[node.inputs[i]].shape(); };
  if (const auto* dot = dynamic_cast<const DotGeneralAttrs*>(node.attrs.get())) {
    int64_t reduced = 1;
    for (const int64_t axis : dot->lhs_contracting)
      reduced *= shape(0)[static_cast<size_t>(axis)];
    return results * reduced;
  }
  const bool conv = dynamic_cast<const ConvAttrs*>(node.attrs.get()) != nullptr;
  const bool depthwise = dynamic_cast<const DepthwiseAttrs*>(node.attrs.get()) != nullptr;
  if (conv || depthwise) {
    // [k0.., in / groups, out], or [k0.., C, M] of which each result reads the taps alone
    const Shape& kernel = shape(1);
    int64_t reduced = conv ? kernel[kernel.size() - 2] : 1;
    for (size_t d = 0; d + 2 < kernel.size(); d++)
      reduced *= kernel[d];
    return results * reduced;
  }
  if (dynamic_cast<const ContractionAttrs*>(node.attrs.get()) != nullptr) {
    const Shape& rhs = shape(1);  // [B, G, N, k0.., K]
    int64_t reduced = 1;
    for (size_t d = 3; d < rhs.size(); d++)
      reduced *= rhs[d];
    return results * reduced;
  }
  return 0;
}

int64_t total_macs(const Graph& graph) {
  int64_t total = 0;
  for (const Node& node : graph.nodes)
    total += node_macs(graph, node);
  return total;
}

std::vector<LayerInfo> list_layers(const Graph& graph) {
  std::vector<LayerInfo> layers;
  std::set<TensorId> seen;
  for (size_t n = 0; n < graph.nodes.size(); n++) {
    const Node& node = graph.nodes[n];
    LayerInfo layer;
    layer.node = static_cast<int>(n);
    layer.name = node.outputs.empty() ? node.origin.name : graph[node.outputs[0]].name;
    layer.module_path = node.origin.module_path;
    layer.op = op_text(node);
    layer.macs = node_macs(graph, node);
    for (const TensorId id : node.inputs) {
      if (!id.valid()) continue;
      const Tensor& tensor = graph[id];
      (tensor.is_constant() ? layer.constants : layer.inputs).push_back(tensor.type);
      if (!tensor.is_constant() || !seen.insert(id).second) continue;
      const int64_t count = element_count(tensor.shape());
      layer.parameters += count;
      layer.parameter_bytes += (count * info(tensor.type.type).bits + 7) / 8;
    }
    for (const TensorId id : node.outputs)
      layer.outputs.push_back(graph[id].type);
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace qlathe
