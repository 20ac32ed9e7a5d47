#include "frontend/rules/brevitas_plan.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "frontend/ops/contraction.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

using brevitas::Granularity;
using brevitas::Quantized;
using brevitas::Quantizer;
using brevitas::Statistic;

// Axis i of the result is axis permutation[i] of x; elements of four bytes.
HostTensor permuted(const HostTensor& x, const std::vector<int64_t>& permutation) {
  Shape shape;
  const auto strides = row_major_strides(x.shape());
  for (int64_t axis : permutation)
    shape.push_back(x.shape()[static_cast<size_t>(axis)]);
  HostTensor out(x.type(), shape);
  const auto width = static_cast<size_t>(storage_bytes(x.type()));
  const auto out_strides = row_major_strides(shape);
  for (int64_t i = 0; i < out.size(); i++) {
    int64_t from = 0;
    for (size_t axis = 0; axis < shape.size(); axis++)
      from += i / out_strides[axis] % shape[axis] * strides[static_cast<size_t>(permutation[axis])];
    std::copy_n(x.bytes() + static_cast<size_t>(from) * width, width, out.bytes() + static_cast<size_t>(i) * width);
  }
  return out;
}

Place place_of(const Node& node, const char* field) { return {node.origin.place, node.origin.name, field}; }

// The order of a weight's axes that gives Brevitas' [out, in, spatial...].
Result<std::vector<int64_t>> brevitas_axes(const Graph& graph, const Node& node) {
  const int64_t rank = static_cast<int64_t>(graph[node.inputs[kRhs]].shape().size());
  if (node.op == "conv") {  // HWIO
    std::vector<int64_t> axes = {rank - 1, rank - 2};
    for (int64_t axis = 0; axis < rank - 2; axis++)
      axes.push_back(axis);
    return axes;
  }
  if (node.op == "dot_general" && rank == 2) {
    const auto& attrs = node.as<DotGeneralAttrs>();
    if (attrs.rhs_contracting.size() == 1 && attrs.rhs_batch.empty())
      return std::vector<int64_t>{1 - attrs.rhs_contracting[0], attrs.rhs_contracting[0]};
  }
  return Status::unsupported(place_of(node, "weight_quant"), "Brevitas' weight quantizers on this form of " + node.op,
                             "they take convolutions, and products with a matrix of weights");
}

std::vector<int64_t> inverse(const std::vector<int64_t>& permutation) {
  std::vector<int64_t> out(permutation.size());
  for (size_t i = 0; i < permutation.size(); i++)
    out[static_cast<size_t>(permutation[i])] = static_cast<int64_t>(i);
  return out;
}

// Scale or zero point with one extent per axis of the weight, in the graph's layout.
HostTensor spread(const HostTensor& parameter, const std::vector<int64_t>& back) {
  if (parameter.rank() == 0) return parameter.reshaped(Shape(back.size(), 1));
  return permuted(parameter, back);
}

Result<BrevitasConstant> in_graph_layout(const Quantized& q, const Quantizer& quantizer,
                                         const std::vector<int64_t>& back) {
  BrevitasConstant out;
  out.dequantized = permuted(q.dequantized, back);
  out.scale = spread(q.scale, back);
  bool whole = true;  // zero points are integers and tiles divide the shape
  for (float zero : q.zero_point.as<float>())
    whole = whole && zero == std::nearbyint(zero);
  for (size_t axis = 0; axis < q.tile.size(); axis++)
    whole = whole && q.dequantized.shape()[axis] % q.tile[axis] == 0;
  if (!whole || !brevitas::storage_type(quantizer).ok()) return out;
  QL_ASSIGN(const HostTensor stored, brevitas::stored_values(q, quantizer));
  out.stored = permuted(stored, back);
  if (quantizer.zero_point != brevitas::ZeroPoint::kZero) {
    HostTensor zero(ValueType::kI32, q.scale.shape());
    for (int64_t i = 0; i < zero.size(); i++)
      zero.set_int(i, static_cast<int64_t>(q.zero_point.as<float>()[static_cast<size_t>(i)]));
    out.zero_point = spread(zero, back);
  }
  out.integer = quantizer.number != brevitas::Number::kMinifloat;
  return out;
}

bool is_addition_of(const std::vector<PointwiseStep>& steps) {
  return !steps.empty() && steps[0].op == "add" && steps[0].operands.size() == 1;
}

// The constant operand of `channels` elements that is added to the node's result first.
BiasSlot find_bias(const Graph& graph, int index, int64_t channels) {
  const Node& node = graph.nodes[static_cast<size_t>(index)];
  auto fits = [&](int at, int64_t slot) {
    const Node& adder = graph.nodes[static_cast<size_t>(at)];
    if (slot < 0 || static_cast<size_t>(slot) >= adder.inputs.size()) return false;
    const TensorId id = adder.inputs[static_cast<size_t>(slot)];
    return id.valid() && graph[id].is_constant() && graph[id].type.type == ValueType::kF32 &&
           graph[id].data->size() == channels && (channels == 1 || graph[id].shape().back() == channels);
  };
  const auto& steps = node.op == "conv" ? node.as<ConvAttrs>().steps : node.as<DotGeneralAttrs>().steps;
  if (is_addition_of(steps) && fits(index, steps[0].operands[0]))
    return {index, static_cast<size_t>(steps[0].operands[0])};
  if (!steps.empty()) return {};
  const auto consumers = graph.consumers(node.outputs[0]);
  if (consumers.size() != 1 || graph.is_output(node.outputs[0])) return {};
  const Node& next = graph.nodes[static_cast<size_t>(consumers[0])];
  if (next.op != "pointwise" || !is_addition_of(next.as<PointwiseAttrs>().steps)) return {};
  const int64_t other = next.as<PointwiseAttrs>().steps[0].operands[0];
  for (int64_t slot : {other, int64_t{0}}) {
    if (fits(consumers[0], slot)) return {consumers[0], static_cast<size_t>(slot)};
  }
  return {};
}

class Planner {
 public:
  Planner(const Graph& graph, const std::vector<BrevitasTarget>& targets) : graph_(graph), targets_(targets) {}

  Result<BrevitasPlan> run() {
    for (const BrevitasTarget& target : targets_) {
      if (target.site.kind == BrevitasSite::Kind::kInput) {
        add_point(graph_.inputs[static_cast<size_t>(target.site.index)], -1, target.rule, target.site);
      }
    }
    // Targets come in the order of the nodes; a result is quantized before the layers that read it ask.
    std::vector<const BrevitasTarget*> by_node(graph_.nodes.size(), nullptr);
    for (const BrevitasTarget& target : targets_) {
      if (target.site.kind != BrevitasSite::Kind::kInput) by_node[static_cast<size_t>(target.site.index)] = &target;
    }
    for (size_t i = 0; i < by_node.size(); i++) {
      if (!by_node[i]) continue;
      if (by_node[i]->site.kind == BrevitasSite::Kind::kLayer) {
        plan_layer(static_cast<int>(i), by_node[i]->rule, by_node[i]->site);
      } else {
        add_point(graph_.nodes[i].outputs[0], -1, by_node[i]->rule, by_node[i]->site);
      }
    }
    if (!problems_.ok()) return problems_;
    return std::move(plan_);
  }

 private:
  bool is_point(TensorId id) const {
    return std::any_of(plan_.points.begin(), plan_.points.end(),
                       [&](const BrevitasPoint& p) { return p.tensor == id && p.only_node < 0; });
  }

  void add_point(TensorId tensor, int only_node, const BrevitasRule& rule, const BrevitasSite& site) {
    if (!rule.quantizes_act()) return;
    const Place place{.node = site.path, .field = "act_quant"};
    if (graph_[tensor].type.type != ValueType::kF32) {
      problems_.merge(Status::user(place, "an activation of type " + std::string(name(graph_[tensor].type.type)) +
                                              " is not quantized; only float32 is"));
      return;
    }
    const auto& q = rule.act;
    if (q.number == brevitas::Number::kBinary) {
      problems_.merge(Status::unsupported(place, "binary activations"));
    } else if (!q.quantize_zero_point) {
      problems_.merge(
          Status::unsupported(place, "an activation whose zero point is not an integer ('" + q.name + "')"));
    } else if (auto type = brevitas::storage_type(q); !type.ok()) {
      problems_.merge(Status(type.status()).at(place));
    } else if (q.number == brevitas::Number::kMinifloat && q.rounding != brevitas::RoundMode::kRound) {
      problems_.merge(Status::unsupported(place, "minifloat activations with another rounding than to nearest"));
    }
    BrevitasPoint point{tensor, only_node, &rule, brevitas::Activation::kIdentity, graph_[tensor].name, {}};
    if (site.op == "relu") point.activation = brevitas::Activation::kRelu;
    if (site.op == "tanh") point.activation = brevitas::Activation::kTanh;
    if (site.op == "sigmoid") point.activation = brevitas::Activation::kSigmoid;
    if (site.op == "hard_swish") point.activation = brevitas::Activation::kHardSwish;
    plan_.points.push_back(std::move(point));
  }

  void plan_layer(int index, const BrevitasRule& rule, const BrevitasSite& site) {
    const Node& node = graph_.nodes[static_cast<size_t>(index)];
    const TensorId lhs = node.inputs[kLhs];
    const TensorId source = value_source(graph_, lhs, [&](TensorId id) { return is_point(id); });
    if (!is_point(source)) add_point(lhs, index, rule, site);
    if (!rule.quantizes_weight() && !rule.quantizes_bias()) return;

    BrevitasLayerPlan layer;
    layer.node = index;
    layer.rule = &rule;
    const auto axes = brevitas_axes(graph_, node);
    if (!axes.ok()) {
      problems_.merge(axes.status());
      return;
    }
    const Tensor& weight = graph_[node.inputs[kRhs]];
    layer.channels = weight.shape()[static_cast<size_t>((*axes)[0])];
    if (rule.quantizes_weight()) {
      const Status status = plan_weight(weight, *axes, node, layer);
      if (!status.ok()) {
        problems_.merge(Status(status).at({node.origin.place, node.origin.name, "weight_quant"}));
        return;
      }
    }
    if (rule.quantizes_bias()) layer.bias = find_bias(graph_, index, layer.channels);
    plan_.layers.emplace(index, std::move(layer));
  }

  Status plan_weight(const Tensor& weight, const std::vector<int64_t>& axes, const Node& node,
                     BrevitasLayerPlan& layer) {
    if (!weight.is_constant()) {
      return Status::user({}, "the right operand is not a constant, so it has no weight quantizer");
    }
    const Quantizer& q = layer.rule->weight;
    if (weight.type.type != ValueType::kF32) {
      return Status::user({}, std::string("the weight is ") + name(weight.type.type) + ", not float32");
    }
    QL_ASSIGN(const Quantized quantized, brevitas::quantize_weight(permuted(*weight.data, axes), q));
    QL_ASSIGN(layer.weight, in_graph_layout(quantized, q, inverse(axes)));
    // Convolutions sum over whole channels: no scales along the reduction.
    if (node.op == "conv" && q.granularity == Granularity::kGroup) layer.weight->integer = false;
    if (q.granularity != Granularity::kGroup) {
      const auto scales = quantized.scale.as<float>();
      layer.weight_scale.assign(scales.begin(), scales.end());
    }
    return {};
  }

  const Graph& graph_;
  const std::vector<BrevitasTarget>& targets_;
  BrevitasPlan plan_;
  Status problems_;
};

}  // namespace

bool keeps_values(const Node& node) {
  if (node.op == "reshape" || node.op == "transpose" || node.op == "slice") return true;
  if (node.op != "pool") return false;
  const auto& attrs = node.as<PoolAttrs>();
  return attrs.kind == PoolKind::kMax && attrs.steps.empty();
}

TensorId value_source(const Graph& graph, TensorId id, const std::function<bool(TensorId)>& stop) {
  while (!stop(id)) {
    const int producer = graph.producer(id);
    if (producer < 0 || !keeps_values(graph.nodes[static_cast<size_t>(producer)])) break;
    id = graph.nodes[static_cast<size_t>(producer)].inputs[0];
  }
  return id;
}

Result<BrevitasPlan> plan_brevitas(const Graph& graph, const std::vector<BrevitasTarget>& targets) {
  return Planner(graph, targets).run();
}

Result<Quantized> quantize_layer_bias(const Graph& graph, const BrevitasLayerPlan& layer, const float* input_scale) {
  const Node& node = graph.nodes[static_cast<size_t>(layer.bias.node)];
  const HostTensor bias = graph[node.inputs[layer.bias.slot]].data->reshaped({layer.channels});
  std::optional<HostTensor> accumulator;
  if (input_scale && !layer.weight_scale.empty()) {
    accumulator = HostTensor(ValueType::kF32, {static_cast<int64_t>(layer.weight_scale.size())});
    for (size_t i = 0; i < layer.weight_scale.size(); i++)
      accumulator->as<float>()[i] = *input_scale * layer.weight_scale[i];
  }
  auto result = brevitas::quantize_bias(bias, layer.rule->bias, accumulator ? &*accumulator : nullptr);
  if (!result.ok()) return result.status().at(place_of(graph.nodes[static_cast<size_t>(layer.node)], "bias_quant"));
  return result;
}

}  // namespace qlathe
