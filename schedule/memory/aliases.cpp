#include "schedule/memory/aliases.h"

#include <algorithm>

#include "frontend/ops/movement.h"

namespace qlathe {
namespace {

/// Bytes from the start of the operand to the slice, or -1 where its elements do not lie together.
int64_t slice_offset(const Graph& graph, const Node& node) {
  const auto& attrs = node.as<SliceAttrs>();
  const Shape &from = graph[node.inputs[0]].shape(), &to = graph[node.outputs[0]].shape();
  const std::vector<int64_t> strides = row_major_strides(from);
  int64_t offset = 0, outer = 1;
  for (size_t d = 0; d < from.size(); d++) {
    const bool whole = to[d] == from[d] && attrs.start[d] == 0;
    const bool steps = !attrs.step.empty() && attrs.step[d] != 1 && to[d] > 1;
    if (steps || (!whole && outer > 1)) return -1;
    outer *= to[d];
    offset += attrs.start[d] * strides[d];
  }
  return offset * storage_bytes(graph[node.outputs[0]].type.type);
}

}  // namespace

int64_t bytes_of(const TensorType& type) { return element_count(type.shape) * storage_bytes(type.type); }

Aliases::Aliases(const Graph& graph, const AliasOptions& options) {
  for (size_t i = 0; i < graph.tensors.size(); i++)
    parents_.push_back({TensorId{static_cast<int32_t>(i)}, 0});
  for (size_t n = 0; n < graph.nodes.size(); n++) {
    const Node& node = graph.nodes[n];
    if (node.op != "reshape") continue;
    parents_[static_cast<size_t>(node.outputs[0].index)] = {node.inputs[0], 0};
    views_.insert(static_cast<int>(n));
  }
  if (options.slices) alias_slices(graph);
  if (options.concats) alias_concats(graph);
}

TensorStorage Aliases::of(TensorId id) const {
  TensorStorage at{id, 0};
  for (;;) {
    const TensorStorage& parent = parents_[static_cast<size_t>(at.root.index)];
    if (parent.root == at.root) return at;
    at = {parent.root, at.offset + parent.offset};
  }
}

void Aliases::alias_slices(const Graph& graph) {
  std::set<TensorId> kept;  // storage of results, which callers own
  for (const TensorId id : graph.outputs)
    kept.insert(of(id).root);
  for (const State& state : graph.states)
    kept.insert(of(state.next).root);
  for (size_t n = 0; n < graph.nodes.size(); n++) {
    const Node& node = graph.nodes[n];
    if (node.op != "slice" || kept.count(node.outputs[0])) continue;
    const int64_t offset = slice_offset(graph, node);
    if (offset < 0 || bytes_of(graph[node.outputs[0]].type) == 0) continue;
    parents_[static_cast<size_t>(node.outputs[0].index)] = {node.inputs[0], offset};
    views_.insert(static_cast<int>(n));
    saved_++;
  }
}

void Aliases::alias_concats(const Graph& graph) {
  // What has storage of its own somewhere else, or is no kernel's result.
  std::set<TensorId> fixed(graph.inputs.begin(), graph.inputs.end());
  for (const TensorId id : graph.outputs)
    fixed.insert(of(id).root);
  for (const State& state : graph.states) {
    fixed.insert(of(state.current).root);
    fixed.insert(of(state.next).root);
  }
  // From the last to the first: the parts of a concat's part are then parts of the outer one.
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    if (node.op != "concat") continue;
    const TensorId result = node.outputs[0];
    const Shape& shape = graph[result].shape();
    const auto axis = static_cast<size_t>(node.as<ConcatAttrs>().axis);
    if (std::any_of(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(axis), [](int64_t e) { return e > 1; }))
      continue;
    int64_t offset = 0;
    for (const TensorId input : node.inputs) {
      const int64_t bytes = bytes_of(graph[input].type);
      const TensorStorage own = of(input);
      const bool whole = own.offset == 0 && bytes_of(graph[own.root].type) == bytes;
      if (bytes > 0 && whole && !graph[own.root].is_constant() && own.root != of(result).root &&
          fixed.insert(own.root).second) {
        parents_[static_cast<size_t>(own.root.index)] = {result, offset};
        saved_++;
      }
      offset += bytes;
    }
  }
}

}  // namespace qlathe
