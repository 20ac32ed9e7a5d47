#include "frontend/rules/brevitas_quantize.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "frontend/ops/contraction.h"

namespace qlathe {
namespace {

using brevitas::Number;
using brevitas::Quantized;
using brevitas::Quantizer;
using brevitas::RoundMode;

PointwiseStep step(const char* op, ValueType type, std::vector<int64_t> operands) {
  PointwiseStep s;
  s.op = op;
  s.type = type;
  s.operands = std::move(operands);
  return s;
}

std::shared_ptr<const OpAttrs> chain(std::vector<PointwiseStep> steps) {
  auto attrs = std::make_shared<PointwiseAttrs>();
  attrs->steps = std::move(steps);
  return attrs;
}

Rounding rounding_of(RoundMode mode) {
  switch (mode) {
    case RoundMode::kFloor:
      return Rounding::kFloor;
    case RoundMode::kCeil:
      return Rounding::kCeil;
    case RoundMode::kRoundToZero:
      return Rounding::kToZero;
    default:
      return Rounding::kHalfEven;
  }
}

// A float tensor of the new graph that is a dequantized one.
struct Twin {
  TensorId stored;
  HostTensor scale;                      // a scalar
  std::optional<HostTensor> zero_point;  // int32 scalar
  bool integer = true;
};

class Rewriter {
 public:
  Rewriter(const Graph& from, const BrevitasPlan& plan) : from_(from), plan_(plan) {}

  Result<Graph> run() {
    to_.name = from_.name;
    for (TensorId id : from_.inputs)
      ids_[id] = to_.add_input(from_[id].name, from_[id].type);
    for (const State& state : from_.states)
      ids_[state.current] = to_.add_tensor(from_[state.current].name, from_[state.current].type);
    for (TensorId id : from_.inputs)
      QL_RETURN_IF_ERROR(quantize_result(id, Origin{from_[id].name, "", "", ""}));
    for (size_t i = 0; i < from_.nodes.size(); i++) {
      QL_RETURN_IF_ERROR(rewrite(static_cast<int>(i)));
      for (TensorId id : from_.nodes[i].outputs)
        QL_RETURN_IF_ERROR(quantize_result(id, from_.nodes[i].origin));
    }
    for (TensorId id : from_.outputs)
      to_.outputs.push_back(mapped(id));
    for (const State& state : from_.states)
      to_.states.push_back({mapped(state.current), mapped(state.next), state.initial});
    prune();
    return std::move(to_);
  }

 private:
  TensorId mapped(TensorId id) {
    if (!id.valid()) return kNone;
    const auto known = ids_.find(id);
    if (known != ids_.end()) return known->second;
    QL_CHECK(from_[id].is_constant(), from_[id].name);
    const TensorId copy = to_.add_tensor(from_[id].name, from_[id].type);
    to_[copy].data = from_[id].data;
    ids_[id] = copy;
    return copy;
  }

  static Origin named(const Origin& origin, const std::string& suffix) {
    return {origin.name + suffix, origin.module_path, "", origin.place};
  }

  // scale and zero point as constants of `rank` ones.
  std::vector<TensorId> parameters(const Twin& twin, const std::string& name, size_t rank) {
    std::vector<TensorId> out = {to_.add_constant(name + "_scale", twin.scale.reshaped(Shape(rank, 1)))};
    if (twin.zero_point)
      out.push_back(to_.add_constant(name + "_zero_point", twin.zero_point->reshaped(Shape(rank, 1))));
    return out;
  }

  static std::vector<int64_t> operands(const std::vector<TensorId>& parameters) {
    return parameters.size() > 1 ? std::vector<int64_t>{1, 2} : std::vector<int64_t>{1};
  }

  // Float again, as a tensor of the new graph that remembers what it was made from.
  Result<TensorId> dequantize(const Twin& twin, const Origin& origin) {
    auto inputs = parameters(twin, origin.name, to_[twin.stored].shape().size());
    const auto at = operands(inputs);
    inputs.insert(inputs.begin(), twin.stored);
    QL_ASSIGN(const TensorId id, to_.add("pointwise", inputs, chain({step("dequantize", ValueType::kF32, at)}),
                                         named(origin, "_dequantized")));
    twins_[id] = twin;
    return id;
  }

  // DPU rounding of x / scale + zero_point: a half below 0 goes up, so there floor(t + 0.5), elsewhere half to even.
  Result<TensorId> round_dpu(const std::vector<TensorId>& inputs, const Origin& origin) {
    std::vector<PointwiseStep> scaled = {step("div", ValueType::kF32, {1})};
    if (inputs.size() > 2) scaled.push_back(step("add", ValueType::kF32, {2}));
    std::vector<TensorId> floats = inputs;
    if (inputs.size() > 2) {
      QL_ASSIGN(floats[2],
                to_.add("pointwise", {inputs[2]}, chain({step("cast", ValueType::kF32, {})}), named(origin, "_zero")));
    }
    QL_ASSIGN(const TensorId t, to_.add("pointwise", floats, chain(scaled), named(origin, "_scaled")));
    const TensorId half = to_.add_constant(origin.name + "_half", HostTensor::scalar(0.5f));
    const TensorId zero = to_.add_constant(origin.name + "_nought", HostTensor::scalar(0.0f));
    QL_ASSIGN(const TensorId up, to_.add("pointwise", {t, half},
                                         chain({step("add", ValueType::kF32, {1}), step("floor", ValueType::kF32, {})}),
                                         named(origin, "_up")));
    QL_ASSIGN(const TensorId even,
              to_.add("pointwise", {t}, chain({step("round", ValueType::kF32, {})}), named(origin, "_even")));
    return to_.add("pointwise", {t, zero, up, even},
                   chain({step("less", ValueType::kBool, {1}), step("select", ValueType::kF32, {2, 3})}),
                   named(origin, "_rounded"));
  }

  Result<TensorId> quantize(const BrevitasPoint& point, TensorId x, const Origin& origin) {
    const Quantizer& q = point.rule->act;
    QL_ASSIGN(const ValueType type, brevitas::storage_type(q));
    Twin twin{kNone, HostTensor::scalar(point.parameters.scale), std::nullopt, q.number == Number::kInt};
    if (point.parameters.zero_point != 0 || q.zero_point != brevitas::ZeroPoint::kZero) {
      twin.zero_point = HostTensor(ValueType::kI32, {});
      twin.zero_point->set_int(0, static_cast<int64_t>(point.parameters.zero_point));
    }
    auto inputs = parameters(twin, origin.name, to_[x].shape().size());
    const auto at = operands(inputs);
    inputs.insert(inputs.begin(), x);
    PointwiseStep last = step("quantize", type, at);
    if (q.number == Number::kInt && q.rounding == RoundMode::kDpu) {
      QL_ASSIGN(const TensorId rounded, round_dpu(inputs, origin));
      inputs = {rounded};
      last = step("cast", type, {});
    }
    last.rounding = rounding_of(q.rounding);
    if (q.number == Number::kInt) {
      last.lo = static_cast<double>(q.min_int());
      last.hi = static_cast<double>(q.max_int());
    }
    QL_ASSIGN(twin.stored, to_.add("pointwise", inputs, chain({last}), named(origin, "_quantized")));
    return dequantize(twin, origin);
  }

  // Readers of `id` get it quantized, where a point says so.
  Status quantize_result(TensorId id, const Origin& origin) {
    for (const BrevitasPoint& point : plan_.points) {
      if (point.only_node >= 0 || point.tensor != id) continue;
      QL_ASSIGN(ids_[id], quantize(point, mapped(id), origin));
    }
    return {};
  }

  // Operands that get another constant: the float one is not carried over.
  bool is_replaced(int index, size_t slot) const {
    return std::any_of(plan_.layers.begin(), plan_.layers.end(), [&](const auto& entry) {
      const BrevitasLayerPlan& layer = entry.second;
      return (layer.node == index && slot == kRhs && layer.weight) ||
             (layer.bias.node == index && layer.bias.slot == slot);
    });
  }

  Status rewrite(int index) {
    const Node& node = from_.nodes[static_cast<size_t>(index)];
    std::vector<TensorId> inputs;
    for (size_t slot = 0; slot < node.inputs.size(); slot++)
      inputs.push_back(is_replaced(index, slot) ? kNone : mapped(node.inputs[slot]));
    for (const BrevitasPoint& point : plan_.points) {
      if (point.only_node != index) continue;
      QL_ASSIGN(inputs[kLhs], quantize(point, inputs[kLhs], named(node.origin, "_input")));
    }
    // A layer's own input is known by now, also to a bias in its own steps.
    layer_input_[index] = inputs.empty() ? kNone : inputs[0];
    for (const auto& [at, layer] : plan_.layers) {
      if (layer.bias.node != index) continue;
      QL_ASSIGN(inputs[layer.bias.slot], bias(layer));
    }
    const auto layer = plan_.layers.find(index);
    if (layer != plan_.layers.end() && layer->second.weight)
      return rewrite_layer(node, layer->second, std::move(inputs));
    const auto twin = inputs.empty() ? twins_.end() : twins_.find(inputs[0]);
    if (twin != twins_.end() && twin->second.integer && keeps_values(node)) {
      Twin moved = twin->second;
      std::vector<TensorId> stored = inputs;
      stored[0] = moved.stored;
      QL_ASSIGN(moved.stored, to_.add(node.op, stored, node.attrs, node.origin));
      QL_ASSIGN(ids_[node.outputs[0]], dequantize(moved, node.origin));
      return {};
    }
    QL_ASSIGN(const std::vector<TensorId> results, to_.add_node(node.op, inputs, node.attrs, node.origin));
    for (size_t i = 0; i < results.size(); i++)
      ids_[node.outputs[i]] = results[i];
    return {};
  }

  Status rewrite_layer(const Node& node, const BrevitasLayerPlan& layer, std::vector<TensorId> inputs) {
    const BrevitasConstant& weight = *layer.weight;
    const std::string& name = from_[node.inputs[kRhs]].name;
    const auto twin = twins_.find(inputs[kLhs]);
    std::shared_ptr<const OpAttrs> attrs = node.attrs;
    if (weight.stored && weight.integer && twin != twins_.end() && twin->second.integer) {
      if (inputs.size() < kContractionExtra) inputs.resize(kContractionExtra, kNone);
      const auto of_input = parameters(twin->second, node.origin.name + "_input", to_[inputs[kLhs]].shape().size());
      inputs[kLhs] = twin->second.stored;
      inputs[kLhsScale] = of_input[0];
      if (of_input.size() > 1) inputs[kLhsZeroPoint] = of_input[1];
      inputs[kRhs] = to_.add_constant(name, *weight.stored);
      inputs[kRhsScale] = to_.add_constant(name + "_scale", weight.scale);
      if (weight.zero_point) inputs[kRhsZeroPoint] = to_.add_constant(name + "_zero_point", *weight.zero_point);
      attrs = with_integer_sums(node);
    } else if (weight.stored) {
      const TensorId stored = to_.add_constant(name, *weight.stored);
      std::vector<TensorId> operands_of_weight = {stored, to_.add_constant(name + "_scale", weight.scale)};
      if (weight.zero_point) operands_of_weight.push_back(to_.add_constant(name + "_zero_point", *weight.zero_point));
      std::vector<int64_t> at = {1};
      if (weight.zero_point) at.push_back(2);
      QL_ASSIGN(inputs[kRhs], to_.add("pointwise", operands_of_weight, chain({step("dequantize", ValueType::kF32, at)}),
                                      named(node.origin, "_weight")));
    } else {
      inputs[kRhs] = to_.add_constant(name, weight.dequantized);
    }
    QL_ASSIGN(ids_[node.outputs[0]], to_.add(node.op, inputs, attrs, node.origin));
    return {};
  }

  static std::shared_ptr<const OpAttrs> with_integer_sums(const Node& node) {
    if (node.op == "conv") {
      auto attrs = std::make_shared<ConvAttrs>(node.as<ConvAttrs>());
      attrs->accumulator = ValueType::kI32;
      return attrs;
    }
    auto attrs = std::make_shared<DotGeneralAttrs>(node.as<DotGeneralAttrs>());
    attrs->accumulator = ValueType::kI32;
    return attrs;
  }

  // The stored bias, dequantized.
  Result<TensorId> bias(const BrevitasLayerPlan& layer) {
    const auto twin = twins_.find(layer_input_.at(layer.node));
    const float* scale = twin == twins_.end() ? nullptr : &twin->second.scale.as<float>()[0];
    QL_ASSIGN(const Quantized quantized, quantize_layer_bias(from_, layer, scale));
    const Tensor& original = from_[from_.nodes[static_cast<size_t>(layer.bias.node)].inputs[layer.bias.slot]];
    QL_ASSIGN(const HostTensor stored, brevitas::stored_values(quantized, layer.rule->bias));
    Shape scale_shape = original.shape();
    if (quantized.scale.size() == 1) scale_shape = Shape(scale_shape.size(), 1);
    const TensorId value = to_.add_constant(original.name, stored.reshaped(original.shape()));
    const TensorId scales = to_.add_constant(original.name + "_scale", quantized.scale.reshaped(scale_shape));
    const Origin& origin = from_.nodes[static_cast<size_t>(layer.node)].origin;
    return to_.add("pointwise", {value, scales}, chain({step("dequantize", ValueType::kF32, {1})}),
                   named(origin, "_bias"));
  }

  // Removes nodes that nothing reads.
  void prune() {
    std::set<TensorId> used(to_.outputs.begin(), to_.outputs.end());
    for (const State& state : to_.states)
      used.insert(state.next);
    std::vector<Node> kept;
    for (size_t i = to_.nodes.size(); i-- > 0;) {
      Node& node = to_.nodes[i];
      const bool needed =
          std::any_of(node.outputs.begin(), node.outputs.end(), [&](TensorId id) { return used.contains(id); });
      if (!needed) continue;
      used.insert(node.inputs.begin(), node.inputs.end());
      kept.push_back(std::move(node));
    }
    std::reverse(kept.begin(), kept.end());
    to_.nodes = std::move(kept);
  }

  const Graph& from_;
  const BrevitasPlan& plan_;
  Graph to_;
  std::map<TensorId, TensorId> ids_;     // from_ -> to_
  std::map<TensorId, Twin> twins_;       // by tensor of to_
  std::map<int, TensorId> layer_input_;  // by node of from_: its left operand in to_, float
};

}  // namespace

Result<BrevitasResult> quantize_brevitas(const Graph& graph, const std::vector<BrevitasTarget>& targets,
                                         const CalibrationBatches& batches, Executor& executor) {
  QL_ASSIGN(BrevitasPlan plan, plan_brevitas(graph, targets));
  QL_RETURN_IF_ERROR(calibrate_brevitas(graph, batches, executor, plan));
  BrevitasResult result;
  for (const BrevitasPoint& point : plan.points) {
    QL_ASSIGN(const ValueType type, brevitas::storage_type(point.rule->act));
    result.activations.push_back(
        {point.name, point.rule->act.name, type, point.parameters.scale, point.parameters.zero_point});
  }
  QL_ASSIGN(result.graph, Rewriter(graph, plan).run());
  return result;
}

}  // namespace qlathe
