#include "frontend/formats/single_steps.h"

#include <algorithm>
#include <map>

#include "frontend/ops/contraction.h"
#include "frontend/ops/pointwise.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

/// A copy of a node's attributes without steps from `keep` on.
template <class T>
std::shared_ptr<const OpAttrs> without_steps(const Node& node, size_t keep) {
  auto attrs = std::make_shared<T>(node.as<T>());
  attrs->steps.resize(keep);
  return attrs;
}

struct Steps {
  const std::vector<PointwiseStep>* list = nullptr;
  size_t keep = 0;  ///< steps that belong to the op itself
  std::shared_ptr<const OpAttrs> (*strip)(const Node&, size_t) = nullptr;
};

/// Sums that are averages keep the factor.
size_t average_steps(const Graph& graph, const Node& node, bool is_sum, const std::vector<PointwiseStep>& steps) {
  if (!is_sum || steps.empty() || (steps[0].op != "mul" && steps[0].op != "div") || steps[0].swapped) return 0;
  return graph[node.inputs[static_cast<size_t>(steps[0].operands[0])]].is_constant() ? 1 : 0;
}

Steps steps_of(const Graph& graph, const Node& node) {
  if (node.op == "conv") return {&node.as<ConvAttrs>().steps, 0, without_steps<ConvAttrs>};
  if (node.op == "dot_general") return {&node.as<DotGeneralAttrs>().steps, 0, without_steps<DotGeneralAttrs>};
  if (node.op == "softmax") return {&node.as<SoftmaxAttrs>().steps, 0, without_steps<SoftmaxAttrs>};
  if (node.op == "layer_norm") return {&node.as<LayerNormAttrs>().steps, 0, without_steps<LayerNormAttrs>};
  if (node.op == "pool") {
    const auto& a = node.as<PoolAttrs>();
    return {&a.steps, average_steps(graph, node, a.kind == PoolKind::kSum, a.steps), without_steps<PoolAttrs>};
  }
  if (node.op == "reduce") {
    const auto& a = node.as<ReduceAttrs>();
    return {&a.steps, average_steps(graph, node, a.kind == ReduceKind::kSum, a.steps), without_steps<ReduceAttrs>};
  }
  return {};
}

/// Inputs of the op itself, without the operands of steps that left it.
size_t own_inputs(const Node& node, const Steps& steps) {
  size_t first = node.inputs.size();
  for (size_t i = steps.keep; i < steps.list->size(); i++) {
    for (int64_t operand : (*steps.list)[i].operands)
      first = std::min(first, static_cast<size_t>(operand));
  }
  for (size_t i = 0; i < steps.keep; i++) {
    for (int64_t operand : (*steps.list)[i].operands)
      first = std::max(first, static_cast<size_t>(operand) + 1);
  }
  return first;
}

/// The graph with one step a node.
class Splitter {
 public:
  explicit Splitter(const Graph& from) : from_(from) {}

  Result<Graph> run() {
    out_.name = from_.name;
    for (TensorId id : from_.inputs)
      ids_[id] = out_.add_input(from_[id].name, from_[id].type);
    for (const Node& node : from_.nodes)
      QL_RETURN_IF_ERROR(split(node));
    for (TensorId id : from_.outputs)
      out_.outputs.push_back(mapped(id));
    return std::move(out_);
  }

 private:
  TensorId mapped(TensorId id) {
    if (!id.valid()) return kNone;
    if (const auto it = ids_.find(id); it != ids_.end()) return it->second;
    QL_CHECK(from_[id].is_constant(), from_[id].name);
    const TensorId made = out_.add_tensor(from_[id].name, from_[id].type);
    out_[made].data = from_[id].data;
    return ids_[id] = made;
  }

  void keep_name(TensorId made, TensorId old) {
    ids_[old] = made;
    if (!out_.find(from_[old].name).valid()) out_.rename(made, from_[old].name);
  }

  Status split(const Node& node) {
    std::vector<TensorId> inputs;
    for (TensorId id : node.inputs)
      inputs.push_back(mapped(id));
    Steps steps = steps_of(from_, node);
    std::shared_ptr<const OpAttrs> attrs = node.attrs;
    std::vector<PointwiseStep> rest;
    TensorId value = inputs.empty() ? kNone : inputs[0];
    if (node.op == "pointwise") {
      rest = node.as<PointwiseAttrs>().steps;
    } else {
      std::vector<TensorId> own = inputs;
      if (steps.list != nullptr && steps.list->size() > steps.keep) {
        rest.assign(steps.list->begin() + static_cast<std::ptrdiff_t>(steps.keep), steps.list->end());
        own.resize(own_inputs(node, steps));
        attrs = steps.strip(node, steps.keep);
      }
      auto made = out_.add_node(node.op, own, attrs, node.origin);
      if (!made.ok()) return made.status();
      for (size_t i = 0; i < made->size(); i++)
        keep_name((*made)[i], node.outputs[i]);
      value = (*made)[0];
    }
    for (const PointwiseStep& step : rest) {
      auto one = std::make_shared<PointwiseAttrs>();
      one->steps = {step};
      std::vector<TensorId> operands = {value};
      for (int64_t& operand : one->steps[0].operands) {
        operands.push_back(inputs[static_cast<size_t>(operand)]);
        operand = static_cast<int64_t>(operands.size()) - 1;
      }
      Origin origin = node.origin;
      origin.rule_op.clear();
      QL_ASSIGN(value, out_.add("pointwise", operands, one, origin));
    }
    if (!rest.empty() || node.op == "pointwise") ids_[node.outputs[0]] = value;
    return {};
  }

  const Graph& from_;
  Graph out_;
  std::map<TensorId, TensorId> ids_;
};

}  // namespace

Result<Graph> single_steps(const Graph& graph) { return Splitter(graph).run(); }

}  // namespace qlathe
