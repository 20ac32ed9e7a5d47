#include "api/float_ops.h"

#include <algorithm>

#include "frontend/ir/op_registry.h"
#include "frontend/ops/pointwise.h"

namespace qlathe {
namespace {

/// Which nodes of a graph compute with real numbers.
class FloatOps {
 public:
  explicit FloatOps(const Graph& graph)
      : graph_(graph), producers_(producers_of(graph)), readers_(graph.tensors.size()) {
    for (size_t i = 0; i < graph.nodes.size(); i++) {
      for (TensorId id : graph.nodes[i].inputs)
        if (id.valid()) readers_[static_cast<size_t>(id.index)].push_back(i);
    }
  }

  /// Why the node is one, or "".
  std::string reason(const Node& node) const {
    const OpDef* def = OpRegistry::find(node.op);
    if (def->work == OpWork::kMoves && at_the_ends(node)) return "";
    if (def->accumulator != nullptr && is_float(def->accumulator(*node.attrs)))
      return std::string("sums in ") + name(def->accumulator(*node.attrs));
    const bool takes_inputs = def->work == OpWork::kSteps && quantizes(node, *def);
    for (TensorId id : node.inputs) {
      if (!is_real(id) || (takes_inputs && is_model_input(id))) continue;
      return "reads " + std::string(name(graph_[id].type.type)) + " " + graph_[id].name +
             (def->real_because.empty() ? "" : " (" + def->real_because + ")");
    }
    for (TensorId id : node.outputs) {
      if (is_real(id) && !only_output(id))
        return "gives " + std::string(name(graph_[id].type.type)) + " " + graph_[id].name;
    }
    return "";
  }

 private:
  /// A tensor of real numbers that is computed while the model runs; single numbers (dynamic scales) are none.
  bool is_real(TensorId id) const {
    if (!id.valid() || graph_[id].is_constant()) return false;
    return is_float(graph_[id].type.type) && element_count(graph_[id].shape()) > 1;
  }

  static bool moves(const Node& node) { return OpRegistry::find(node.op)->work == OpWork::kMoves; }

  /// The model's own numbers, only moved so far.
  bool is_model_input(TensorId id) const {
    const int producer = producers_[static_cast<size_t>(id.index)];
    if (producer < 0) return std::find(graph_.inputs.begin(), graph_.inputs.end(), id) != graph_.inputs.end();
    const Node& node = graph_.nodes[static_cast<size_t>(producer)];
    return moves(node) && std::all_of(node.inputs.begin(), node.inputs.end(),
                                      [&](TensorId from) { return !is_real(from) || is_model_input(from); });
  }

  /// Every reader of the tensor only moves it to where the model gives it back.
  bool only_output(TensorId id) const {
    bool any = graph_.is_output(id);
    for (size_t reader : readers_[static_cast<size_t>(id.index)]) {
      const Node& node = graph_.nodes[reader];
      if (!moves(node) || !only_output(node.outputs[0])) return false;
      any = true;
    }
    return any;
  }

  /// Movement of what the model is given, or gives back.
  bool at_the_ends(const Node& node) const {
    const bool given = std::all_of(node.inputs.begin(), node.inputs.end(),
                                   [&](TensorId id) { return !is_real(id) || is_model_input(id); });
    return given || only_output(node.outputs[0]);
  }

  /// Real numbers become integers in the node's steps.
  static bool quantizes(const Node& node, const OpDef& def) {
    const auto attrs = node.attrs->clone();
    const auto& steps = *def.steps(*attrs);
    return std::any_of(steps.begin(), steps.end(), [](const PointwiseStep& step) {
      return step.op == "quantize" || (step.op == "cast" && is_integer(step.type));
    });
  }

  const Graph& graph_;
  std::vector<int> producers_;
  std::vector<std::vector<size_t>> readers_;  // by tensor: nodes
};

}  // namespace

std::vector<FloatOp> list_float_ops(const Graph& graph) {
  const FloatOps ops(graph);
  std::vector<FloatOp> out;
  for (const Node& node : graph.nodes) {
    const std::string reason = ops.reason(node);
    if (!reason.empty()) out.push_back({node.origin.name, node.op, reason, node.origin.place});
  }
  return out;
}

}  // namespace qlathe
