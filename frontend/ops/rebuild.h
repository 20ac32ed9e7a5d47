#pragma once
#include <vector>

#include "frontend/ir/graph.h"

namespace qlathe {

/// A graph built anew from another, node by node, with tensors mapped from old to new. Only what is asked for comes
/// along: constants when a node uses them. Names of mapped tensors are kept.
class Rebuild {
 public:
  /// Takes over name, inputs and states' current values.
  explicit Rebuild(const Graph& from);

  Graph to;

  /// The new tensor for an old one; kNone stays kNone.
  TensorId map(TensorId old);
  std::vector<TensorId> map(const std::vector<TensorId>& old);
  bool is_mapped(TensorId old) const { return map_[static_cast<size_t>(old.index)].valid(); }
  /// `now` stands for `old` from here on and takes its name and quantization.
  void set(TensorId old, TensorId now);
  /// `now` stands for `old`, under its own name.
  void alias(TensorId old, TensorId now) { map_[static_cast<size_t>(old.index)] = now; }
  /// The same node in the new graph.
  Status copy(const Node& node);
  /// Maps outputs, states and quantizations. Outputs keep their names: one that became an input, or another output, is
  /// copied.
  Graph finish();

 private:
  void add_output(TensorId old);
  void rename(TensorId now, const std::string& name);

  const Graph& from_;
  std::vector<TensorId> map_;
  std::vector<TensorId> named_after_;  // by new tensor: the old one whose quantization it has
};

/// f(id), a Status, for every tensor that the graph must still have after a rebuild: outputs, next states, and what
/// quantizations name.
template <class F>
Status for_each_result(const Graph& graph, F&& f) {
  for (TensorId id : graph.outputs)
    QL_RETURN_IF_ERROR(f(id));
  for (const State& state : graph.states)
    QL_RETURN_IF_ERROR(f(state.next));
  for (const Tensor& tensor : graph.tensors) {
    if (!tensor.quantization) continue;
    QL_RETURN_IF_ERROR(f(tensor.quantization->scale));
    QL_RETURN_IF_ERROR(f(tensor.quantization->zero_point));
  }
  return {};
}

}  // namespace qlathe
