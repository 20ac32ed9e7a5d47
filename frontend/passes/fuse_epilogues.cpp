#include <algorithm>
#include <optional>

#include "frontend/ir/op_registry.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/pointwise.h"
#include "frontend/ops/pointwise_steps.h"
#include "frontend/passes/operand_shape.h"
#include "frontend/passes/pass_manager.h"
#include "frontend/passes/views.h"

namespace qlathe {
namespace {

/// A pointwise node whose operand is the result of a node that has steps, and is used nowhere else, moves into it:
///
///   q = producer(..; steps)   v = reshape(q)..   p = pointwise(v, a; more)    becomes
///   q' = producer(.., reshape(a); steps, more)   p = reshape(q')
///
/// The fused node stands where the pointwise one stood, so all operands are there. Each step computes what it did
/// before on the same elements: no bit changes. Where the producer's result is the operand `b` of the first step
/// instead of the value that enters it, the step is turned round: v op b is b op v, swapped.
class FuseEpilogues {
 public:
  explicit FuseEpilogues(Graph graph) : graph_(std::move(graph)), uses_(graph_.tensors.size(), 0) {
    for (const Node& node : graph_.nodes) {
      for (TensorId id : node.inputs)
        count(id);
    }
    for (TensorId id : graph_.outputs)
      count(id);
    for (const State& state : graph_.states)
      count(state.next);
    // Quantizations only describe, but what they name must stay computed.
    for (const Tensor& tensor : graph_.tensors) {
      if (!tensor.quantization) continue;
      count(tensor.quantization->scale);
      count(tensor.quantization->zero_point);
    }
  }

  Result<Graph> run() {
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (Node& node : nodes) {
      if (node.op == "pointwise") {
        QL_ASSIGN(const bool fused, try_fuse(node));
        if (fused) continue;
      }
      graph_.nodes.push_back(std::move(node));
    }
    std::erase_if(graph_.nodes, [](const Node& node) { return node.op.empty(); });
    return std::move(graph_);
  }

 private:
  /// A node of graph_.nodes that a pointwise node could move into, and the views between them.
  struct Producer {
    int node = -1;
    std::vector<int> views;
  };

  void count(TensorId id) {
    if (!id.valid()) return;
    if (uses_.size() <= static_cast<size_t>(id.index)) uses_.resize(static_cast<size_t>(id.index) + 1, 0);
    uses_[static_cast<size_t>(id.index)]++;
  }

  int producer_of(TensorId id) const {
    const auto at = static_cast<size_t>(id.index);
    return at < producers_.size() ? producers_[at] : -1;
  }

  /// Takes nodes that were appended since the last call into producers_.
  void index_nodes() {
    producers_.resize(graph_.tensors.size(), -1);
    for (; indexed_ < graph_.nodes.size(); indexed_++) {
      for (TensorId id : graph_.nodes[indexed_].outputs)
        producers_[static_cast<size_t>(id.index)] = static_cast<int>(indexed_);
    }
  }

  std::optional<Producer> find_producer(TensorId id) const {
    Producer found;
    while (uses_[static_cast<size_t>(id.index)] == 1) {
      found.node = producer_of(id);
      if (found.node < 0) return std::nullopt;
      const Node& node = graph_.nodes[static_cast<size_t>(found.node)];
      if (node.op == "reshape") {
        found.views.push_back(found.node);
        id = node.inputs[0];
        continue;
      }
      const OpDef* def = OpRegistry::find(node.op);
      if (def == nullptr || def->steps == nullptr || node.outputs.size() != 1) return std::nullopt;
      return found;
    }
    return std::nullopt;
  }

  /// The pointwise node's operand `slot` as the value that enters its first step: its steps then, or nothing if they
  /// cannot be written so.
  static std::optional<std::vector<PointwiseStep>> steps_entered_by(const Node& node, size_t slot) {
    std::vector<PointwiseStep> steps = node.as<PointwiseAttrs>().steps;
    const auto is_slot = [&](int64_t operand) { return operand == static_cast<int64_t>(slot); };
    if (slot != 0) {
      if (steps.empty() || steps[0].operands.size() != 1 || !is_slot(steps[0].operands[0])) return std::nullopt;
      if (!can_turn(steps[0].op)) return std::nullopt;
      steps[0].swapped = !steps[0].swapped;
      steps[0].operands[0] = 0;
    }
    for (const PointwiseStep& step : steps) {
      if (std::any_of(step.operands.begin(), step.operands.end(), is_slot)) return std::nullopt;
    }
    return steps;
  }

  /// A function of two bytes in integer steps. Alone it is one short formula (schedule/lower/byte_formula.h), and so is
  /// the requantization of the sums before it; in one chain neither is.
  bool joins_bytes(const Node& node) const {
    const auto is_byte = [&](TensorId id) {
      const ValueType type = graph_[id].type.type;
      return is_integer(type) && storage_bytes(type) == 1;
    };
    if (node.op != "pointwise" || !is_byte(node.inputs[0]) || !is_byte(node.outputs[0])) return false;
    const auto& steps = node.as<PointwiseAttrs>().steps;
    return std::any_of(steps.begin(), steps.end(), [&](const PointwiseStep& step) {
      return (step.op == "add_requantized" || step.op == "sub_requantized" || step.op == "mul_centered") &&
             is_byte(node.inputs[static_cast<size_t>(step.operands[0])]);
    });
  }

  /// Steps that have a swapped form.
  static bool can_turn(const std::string& op) {
    static const std::vector<std::string> kBinary = {
        "add",       "sub",  "mul",         "div",        "min",           "max",
        "pow",       "less", "less_equal",  "greater",    "greater_equal", "equal",
        "not_equal", "rem",  "bitwise_and", "bitwise_or", "bitwise_xor"};
    return std::count(kBinary.begin(), kBinary.end(), op) > 0;
  }

  struct Fusion {
    Producer producer;
    size_t slot = 0;
    std::vector<PointwiseStep> steps;
    std::vector<Shape> shapes;  ///< by input of the pointwise node: the shape its producer needs
  };

  /// The best of the node's operands to move behind: a contraction or the like before another pointwise node, then the
  /// latest.
  std::optional<Fusion> choose(const Node& node) const {
    std::optional<Fusion> best;
    const auto rank = [&](const Fusion& fusion) {
      const bool kernel = graph_.nodes[static_cast<size_t>(fusion.producer.node)].op != "pointwise";
      return std::make_pair(kernel, fusion.producer.node);
    };
    for (size_t slot = 0; slot < node.inputs.size(); slot++) {
      std::optional<Fusion> candidate = fusion_at(node, slot);
      if (candidate && (!best || rank(*candidate) > rank(*best))) best = std::move(candidate);
    }
    return best;
  }

  std::optional<Fusion> fusion_at(const Node& node, size_t slot) const {
    if (!node.inputs[slot].valid()) return std::nullopt;
    const Shape& before = graph_[node.outputs[0]].shape();
    if (graph_[node.inputs[slot]].shape() != before) return std::nullopt;
    const auto steps = steps_entered_by(node, slot);
    if (!steps) return std::nullopt;
    const auto producer = find_producer(node.inputs[slot]);
    if (!producer) return std::nullopt;
    const Node& made = graph_.nodes[static_cast<size_t>(producer->node)];
    if (joins_bytes(node) || joins_bytes(made)) return std::nullopt;
    const Shape& after = graph_[made.outputs[0]].shape();
    Fusion fusion{*producer, slot, *steps, std::vector<Shape>(node.inputs.size())};
    for (const PointwiseStep& step : fusion.steps) {
      const StepDef* def = StepRegistry::find(step.op);
      for (size_t k = 0; k < step.operands.size(); k++) {
        const auto input = static_cast<size_t>(step.operands[k]);
        const Shape& own = graph_[node.inputs[input]].shape();
        const bool table = def->table != 0 && k == 0;
        const auto shape = table ? std::optional<Shape>(own) : reshape_operand(own, before, after);
        if (!shape || (!fusion.shapes[input].empty() && fusion.shapes[input] != *shape)) return std::nullopt;
        fusion.shapes[input] = *shape;
      }
    }
    return fusion;
  }

  Result<bool> try_fuse(const Node& node) {
    index_nodes();
    const std::optional<Fusion> fusion = choose(node);
    if (!fusion) return false;
    const Node producer = graph_.nodes[static_cast<size_t>(fusion->producer.node)];
    remove(fusion->producer.node);
    for (int view : fusion->producer.views)
      remove(view);

    const OpDef* def = OpRegistry::find(producer.op);
    std::vector<TensorId> inputs = producer.inputs;
    inputs.resize(std::max(inputs.size(), static_cast<size_t>(std::max(def->first_step_operand, 1))), kNone);
    const std::shared_ptr<OpAttrs> attrs = producer.attrs->clone();
    std::vector<int64_t> moved(node.inputs.size(), -1);  // by input of the pointwise node: its place in `inputs`
    for (PointwiseStep step : fusion->steps) {
      for (int64_t& operand : step.operands) {
        const auto from = static_cast<size_t>(operand);
        if (moved[from] < 0) {
          QL_ASSIGN(const TensorId shaped, shape_operand(node.inputs[from], fusion->shapes[from], node.origin));
          moved[from] = static_cast<int64_t>(inputs.size());
          inputs.push_back(shaped);
          count(shaped);
        }
        operand = moved[from];
      }
      def->steps(*attrs)->push_back(step);
    }
    for (TensorId id : node.inputs)
      if (id.valid()) uses_[static_cast<size_t>(id.index)]--;

    // The pointwise node's tensor stays, now made by the fused node or by a view of its result.
    const TensorId result = node.outputs[0];
    const TensorType type{graph_[result].type.type, graph_[producer.outputs[0]].shape()};
    if (type == graph_[result].type) {
      graph_.nodes.push_back({producer.op, inputs, {result}, attrs, producer.origin});
      return true;
    }
    const TensorId fused = graph_.add_tensor(producer.origin.name, type);
    graph_.nodes.push_back({producer.op, inputs, {fused}, attrs, producer.origin});
    ReshapeAttrs view;
    view.shape = graph_[result].shape();
    graph_.nodes.push_back({"reshape", {fused}, {result}, std::make_shared<ReshapeAttrs>(view), node.origin});
    count(fused);
    return true;
  }

  /// A view of an operand is named after it, not after the node it goes to.
  Result<TensorId> shape_operand(TensorId operand, const Shape& shape, Origin origin) {
    origin.name = graph_[operand].name;
    QL_ASSIGN(const TensorId shaped, reshape_to(graph_, operand, shape, origin));
    if (shaped != operand) count(operand);
    return shaped;
  }

  void remove(int node) {
    Node& gone = graph_.nodes[static_cast<size_t>(node)];
    for (TensorId id : gone.outputs)
      producers_[static_cast<size_t>(id.index)] = -1;
    gone = Node{};
  }

  Graph graph_;
  std::vector<int> uses_;       // by tensor: operands, outputs and states that are it
  std::vector<int> producers_;  // by tensor: the node of graph_ that makes it, -1 for none
  size_t indexed_ = 0;          // nodes that producers_ knows
};

const PassRegistry::Add kPass({.name = "fuse_epilogues",
                               .summary = "pointwise nodes move into the steps of the node that makes their operand",
                               .run = [](Graph graph) { return FuseEpilogues(std::move(graph)).run(); }});

}  // namespace
}  // namespace qlathe
