#include <algorithm>
#include <map>
#include <set>

#include "frontend/ops/movement.h"
#include "frontend/ops/pointwise.h"
#include "frontend/ops/rebuild.h"
#include "frontend/passes/pass_manager.h"
#include "frontend/passes/views.h"

namespace qlathe {
namespace {

/// Whether the node gives its first operand unchanged. Such a node has the operand's shape and does nothing else.
bool is_identity(const Graph& graph, const Node& node) {
  if (node.inputs.empty() || graph[node.inputs[0]].type != graph[node.outputs[0]].type) return false;
  if (node.op == "reshape" || node.op == "broadcast") return true;
  if (node.op == "concat") return node.inputs.size() == 1;
  if (node.op == "pointwise") return node.as<PointwiseAttrs>().steps.empty();
  if (node.op == "transpose") {
    return permutation_is_view(graph[node.inputs[0]].shape(), node.as<TransposeAttrs>().permutation);
  }
  const auto all = [](const std::vector<int64_t>& list, int64_t value) {
    return std::all_of(list.begin(), list.end(), [&](int64_t v) { return v == value; });
  };
  if (node.op == "slice") {
    const auto& attrs = node.as<SliceAttrs>();
    return all(attrs.start, 0) && all(attrs.step, 1);
  }
  if (node.op == "pad") {
    const auto& attrs = node.as<PadAttrs>();
    return all(attrs.lo, 0) && all(attrs.hi, 0) && all(attrs.interior, 0);
  }
  return false;
}

class MergeViews {
 public:
  explicit MergeViews(const Graph& graph)
      : graph_(graph), rebuild_(graph), results_(graph.outputs.begin(), graph.outputs.end()) {
    for (const State& state : graph.states)
      results_.insert(state.next);
  }

  Result<Graph> run() {
    for (const Node& node : graph_.nodes)
      QL_RETURN_IF_ERROR(visit(node));
    return rebuild_.finish();
  }

 private:
  const Graph& to() const { return rebuild_.to; }

  Status visit(const Node& node) {
    if (is_identity(graph_, node)) {
      const TensorId x = rebuild_.map(node.inputs[0]);
      if (!results_.count(node.outputs[0])) {
        rebuild_.alias(node.outputs[0], x);
        return {};
      }
      // A result of the model keeps its name, so the tensor it equals takes it; one that has a role of its own stays.
      if (!has_role(node.inputs[0])) {
        rebuild_.set(node.outputs[0], x);
        return {};
      }
      return rebuild_.copy(node);
    }
    if (node.op == "reshape") return reshape(node);
    if (node.op == "transpose") return transpose(node);
    return rebuild_.copy(node);
  }

  /// The tensor is an input, a constant, a state or a result of the model, or stands for one.
  bool has_role(TensorId old) {
    const TensorId now = rebuild_.map(old);
    if (to()[now].is_constant() || producer(now) < 0) return true;
    return std::any_of(results_.begin(), results_.end(),
                       [&](TensorId result) { return rebuild_.is_mapped(result) && rebuild_.map(result) == now; });
  }

  /// The producer of a tensor in the new graph if it is a node of this op.
  const Node* made_by(TensorId now, const std::string& op) {
    const int node = producer(now);
    if (node < 0 || to().nodes[static_cast<size_t>(node)].op != op) return nullptr;
    return &to().nodes[static_cast<size_t>(node)];
  }

  /// The node of the new graph, which grows at its end, that makes the tensor; -1 where none does.
  int producer(TensorId now) {
    for (; seen_ < to().nodes.size(); seen_++) {
      for (TensorId id : to().nodes[seen_].outputs)
        producers_[id] = static_cast<int>(seen_);
    }
    const auto it = producers_.find(now);
    return it == producers_.end() ? -1 : it->second;
  }

  Status reshape(const Node& node) { return reshape_from(node, rebuild_.map(node.inputs[0])); }

  /// A reshape of a reshape is one, and of a tensor of the wanted shape it is none.
  Status reshape_from(const Node& node, TensorId x) {
    while (const Node* inner = made_by(x, "reshape"))
      x = inner->inputs[0];
    const Shape& shape = graph_[node.outputs[0]].shape();
    if (to()[x].shape() == shape && !results_.count(node.outputs[0])) {
      rebuild_.alias(node.outputs[0], x);
      return {};
    }
    ReshapeAttrs attrs;
    attrs.shape = shape;
    QL_ASSIGN(const TensorId result,
              rebuild_.to.add("reshape", {x}, std::make_shared<ReshapeAttrs>(attrs), node.origin));
    rebuild_.set(node.outputs[0], result);
    return {};
  }

  /// A transpose of a transpose is one; where only axes of extent 1 move it is a reshape.
  Status transpose(const Node& node) {
    TensorId x = rebuild_.map(node.inputs[0]);
    std::vector<int64_t> permutation = node.as<TransposeAttrs>().permutation;
    while (const Node* inner = made_by(x, "transpose")) {
      for (int64_t& axis : permutation)
        axis = inner->as<TransposeAttrs>().permutation[static_cast<size_t>(axis)];
      x = inner->inputs[0];
    }
    if (permutation_is_view(to()[x].shape(), permutation)) return reshape_from(node, x);
    TransposeAttrs attrs;
    attrs.permutation = permutation;
    QL_ASSIGN(const TensorId result,
              rebuild_.to.add("transpose", {x}, std::make_shared<TransposeAttrs>(attrs), node.origin));
    rebuild_.set(node.outputs[0], result);
    return {};
  }

  const Graph& graph_;
  Rebuild rebuild_;
  std::set<TensorId> results_;
  std::map<TensorId, int> producers_;  // of the nodes before seen_
  size_t seen_ = 0;
};

const PassRegistry::Add kPass({.name = "merge_views",
                               .summary = "chains of reshapes and transposes become one or none, copies go",
                               .run = [](Graph graph) { return MergeViews(graph).run(); }});

}  // namespace
}  // namespace qlathe
