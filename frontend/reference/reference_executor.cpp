#include "frontend/reference/reference_executor.h"

#include <algorithm>
#include <new>

#include "frontend/ir/op_registry.h"

namespace qlathe {
namespace {

/// After which node each tensor's memory may go: the last that reads it, or none (-1: read by no node).
std::vector<int> last_uses(const Graph& graph) {
  constexpr int kNever = INT32_MAX;
  std::vector<int> last(graph.tensors.size(), -1);
  for (size_t i = 0; i < graph.nodes.size(); i++) {
    for (TensorId id : graph.nodes[i].inputs) {
      if (id.valid()) last[static_cast<size_t>(id.index)] = static_cast<int>(i);
    }
  }
  for (TensorId id : graph.outputs)
    last[static_cast<size_t>(id.index)] = kNever;
  for (const State& state : graph.states)
    last[static_cast<size_t>(state.next.index)] = kNever;
  return last;
}

class ReferenceExecutable final : public Executable {
 public:
  ReferenceExecutable(Graph graph, ReferenceExecutor::Observer observer)
      : graph_(std::move(graph)), observer_(std::move(observer)), last_uses_(last_uses(graph_)) {
    reset();
  }

  void reset() override {
    states_.clear();
    for (const State& state : graph_.states)
      states_.push_back(*state.initial);
  }

  Result<std::vector<HostTensor>> run(const std::vector<HostTensor>& inputs) override {
    QL_RETURN_IF_ERROR(check_inputs(inputs));
    std::vector<const HostTensor*> values(graph_.tensors.size(), nullptr);
    std::vector<HostTensor> owned(graph_.tensors.size());
    for (size_t i = 0; i < graph_.tensors.size(); i++)
      values[i] = graph_.tensors[i].data.get();
    for (size_t i = 0; i < inputs.size(); i++)
      values[at(graph_.inputs[i])] = &inputs[i];
    for (size_t i = 0; i < states_.size(); i++)
      values[at(graph_.states[i].current)] = &states_[i];
    for (size_t n = 0; n < graph_.nodes.size(); n++)
      QL_RETURN_IF_ERROR(run_node(n, values, owned));

    std::vector<HostTensor> outputs, next;
    for (TensorId id : graph_.outputs)
      outputs.push_back(*values[at(id)]);
    for (const State& state : graph_.states)
      next.push_back(*values[at(state.next)]);
    states_ = std::move(next);
    return outputs;
  }

 private:
  static size_t at(TensorId id) { return static_cast<size_t>(id.index); }

  Status check_inputs(const std::vector<HostTensor>& inputs) const {
    if (inputs.size() != graph_.inputs.size()) {
      return Status::user({"", graph_.name, "inputs"}, std::to_string(inputs.size()) +
                                                           " inputs were given, the model takes " +
                                                           std::to_string(graph_.inputs.size()));
    }
    Status status;
    for (size_t i = 0; i < inputs.size(); i++) {
      const Tensor& expected = graph_[graph_.inputs[i]];
      if (inputs[i].type() == expected.type.type && inputs[i].shape() == expected.type.shape) continue;
      status.merge(Status::user({"", graph_.name, "input '" + expected.name + "'"},
                                std::string("is ") + name(inputs[i].type()) + "[" + to_string(inputs[i].shape()) +
                                    "], the model takes " + name(expected.type.type) + "[" +
                                    to_string(expected.type.shape) + "]",
                                "convert or reshape the data"));
    }
    return status;
  }

  Status run_node(size_t n, std::vector<const HostTensor*>& values, std::vector<HostTensor>& owned) const {
    const Node& node = graph_.nodes[n];
    std::vector<const HostTensor*> operands, results;
    std::vector<TensorType> types;
    for (TensorId id : node.inputs)
      operands.push_back(id.valid() ? values[at(id)] : nullptr);
    for (TensorId id : node.outputs)
      types.push_back(graph_[id].type);
    QL_ASSIGN(std::vector<HostTensor> made, evaluate_node(node, operands, types));
    for (size_t i = 0; i < made.size(); i++) {
      HostTensor& slot = owned[at(node.outputs[i])];
      slot = std::move(made[i]);
      values[at(node.outputs[i])] = &slot;
      results.push_back(&slot);
    }
    if (observer_) observer_(node, operands, results);
    for (const std::vector<TensorId>* ids : {&node.inputs, &node.outputs}) {
      for (TensorId id : *ids) {
        if (id.valid() && last_uses_[at(id)] <= static_cast<int>(n)) owned[at(id)] = HostTensor();
      }
    }
    return {};
  }

  const Graph graph_;
  const ReferenceExecutor::Observer observer_;
  const std::vector<int> last_uses_;
  std::vector<HostTensor> states_;
};

}  // namespace

Result<std::unique_ptr<Executable>> ReferenceExecutor::prepare(const Graph& graph) {
  QL_RETURN_IF_ERROR(verify(graph));
  for (const State& state : graph.states) {
    if (state.initial == nullptr || state.initial->type() != graph[state.current].type.type ||
        state.initial->shape() != graph[state.current].type.shape ||
        !(graph[state.current].type == graph[state.next].type)) {
      return Status::user({"", graph.name, "state '" + graph[state.current].name + "'"},
                          "its initial value, current value and next value differ in type or shape");
    }
  }
  return std::unique_ptr<Executable>(std::make_unique<ReferenceExecutable>(graph, observer_));
}

Result<std::vector<HostTensor>> run_reference(const Graph& graph, const std::vector<HostTensor>& inputs) {
  QL_ASSIGN(const std::unique_ptr<Executable> executable, ReferenceExecutor().prepare(graph));
  return executable->run(inputs);
}

Result<std::vector<HostTensor>> evaluate_node(const Node& node, const std::vector<const HostTensor*>& operands,
                                              const std::vector<TensorType>& types) {
  const OpDef* def = OpRegistry::find(node.op);
  QL_CHECK(def != nullptr, node.op);
  try {
    std::vector<HostTensor> results;
    results.reserve(types.size());
    EvalContext context{node, operands, {}};
    for (const TensorType& type : types)
      results.emplace_back(type.type, type.shape);
    for (HostTensor& result : results)
      context.outputs.push_back(&result);
    def->evaluate(context);
    return results;
  } catch (const std::bad_alloc&) {
    return Status::user({"", node.origin.name, ""}, "there is not enough memory to run this node",
                        "use smaller shapes");
  }
}

}  // namespace qlathe
