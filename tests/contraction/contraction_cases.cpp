#include "tests/contraction/contraction_cases.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "frontend/ir/op_registry.h"

namespace qlathe::testing {
namespace {

HostTensor random_tensor(ValueType type, const Shape& shape, std::mt19937& rng) {
  HostTensor t(type, shape);
  if (is_integer(type) || info(type).cls == ValueClass::kCode) {
    std::uniform_int_distribution<int64_t> pick(info(type).min, info(type).max);
    for (int64_t i = 0; i < t.size(); i++)
      t.set_int(i, pick(rng));
  } else if (type == ValueType::kF32) {
    std::normal_distribution<float> pick(0.0f, 1.0f);
    for (float& v : t.as<float>())
      v = pick(rng);
  } else if (is_code(type)) {
    // All finite codes: the top exponent of float8 is left out.
    for (int64_t i = 0; i < t.size(); i++)
      t.bytes()[i] = static_cast<uint8_t>(rng() & (info(type).bits == 4 ? 15 : 0xB7));
  } else {
    std::normal_distribution<float> pick(0.0f, 1.0f);
    for (int64_t i = 0; i < t.size(); i++) {
      const float v = pick(rng);
      uint32_t bits;
      std::memcpy(&bits, &v, 4);
      // A bfloat16; as float16 bits it is some number too, made small enough to be finite.
      t.as<uint16_t>()[static_cast<size_t>(i)] =
          static_cast<uint16_t>(type == ValueType::kBF16 ? bits >> 16 : rng() & 0xBBFF);
    }
  }
  return t;
}

}  // namespace

namespace {

/// Adds operands to a graph of one node.
class CaseBuilder {
 public:
  CaseBuilder(const ContractionSpec& spec, uint32_t seed, Shape result)
      : spec_(spec), rng_(seed), result_(std::move(result)) {
    out_.label = spec.label;
  }

  void tensor(const char* name, ValueType type, const Shape& shape, bool constant) {
    ids_.push_back(add(name, random_tensor(type, shape, rng_), constant));
  }
  /// `leading`: extent of a blocks axis in front of the result's, 0 for none.
  void parameter(const char* name, ContractionSpec::Operand kind, bool lhs_side, ValueType type, bool constant,
                 int64_t leading) {
    using O = ContractionSpec::Operand;
    if (kind == O::kAbsent) {
      ids_.push_back(kNone);
      return;
    }
    Shape shape(result_.size(), 1);
    const size_t channel_axes = leading > 0 ? 2 : 1;
    if (kind == O::kPerRow || (kind == O::kPerBlock && lhs_side)) {
      for (size_t d = 0; d + channel_axes < result_.size(); d++)
        shape[d] = result_[d];
    }
    if (kind == O::kPerChannel || (kind == O::kPerBlock && !lhs_side)) {
      for (size_t d = result_.size() - channel_axes; d < result_.size(); d++)
        shape[d] = result_[d];
    }
    if (leading > 0) shape.insert(shape.begin(), kind == O::kPerBlock ? leading : 1);
    HostTensor value = random_tensor(type, shape, rng_);
    if (type == ValueType::kF32) {
      for (float& v : value.as<float>())
        v = std::abs(v) * 0.01f + 0.001f;
    }
    ids_.push_back(add(name, std::move(value), constant));
  }
  void parameters(int64_t leading) {
    const bool constant = !spec_.run_time_zero_points;
    parameter("lhs_zp", spec_.lhs_zero_point, true, spec_.lhs_type, constant, leading);
    parameter("rhs_zp", spec_.rhs_zero_point, false, spec_.rhs_type, constant, leading);
    parameter("lhs_scale", spec_.lhs_scale, true, ValueType::kF32, false, leading);
    parameter("rhs_scale", spec_.rhs_scale, false, spec_.rhs_multiplier ? ValueType::kU8 : ValueType::kF32, true,
              leading);
    for (const HostTensor& value : spec_.extra)
      ids_.push_back(add("extra", value, true));
  }
  NodeCase finish(const char* op, std::shared_ptr<const OpAttrs> attrs) {
    auto result = out_.graph.add(op, ids_, std::move(attrs), {"layer", "", "", ""});
    QL_CHECK(result.ok(), spec_.label + ": " + result.status().text());
    out_.graph.outputs = {*result};
    return std::move(out_);
  }

 private:
  TensorId add(const char* name, HostTensor value, bool constant) {
    if (constant) return out_.graph.add_constant(name, std::move(value));
    const TensorId id = out_.graph.add_input(name, {value.type(), value.shape()});
    out_.inputs.push_back(std::move(value));
    return id;
  }

  const ContractionSpec& spec_;
  std::mt19937 rng_;
  Shape result_;
  NodeCase out_;
  std::vector<TensorId> ids_;
};

int64_t positions(int64_t extent, const Window& w) {
  return (extent - ((w.kernel - 1) * w.dilation + 1)) / w.stride + 1;
}

}  // namespace

NodeCase make_contraction(const ContractionSpec& s, uint32_t seed) {
  Shape lhs = {s.batch, s.images}, rhs = {s.batch, s.groups, s.n}, result = {s.batch, s.images};
  for (size_t i = 0; i < s.spatial.size(); i++) {
    lhs.push_back(s.spatial[i]);
    rhs.push_back(s.windows[i].kernel);
    result.push_back(positions(s.spatial[i], s.windows[i]));
  }
  lhs.insert(lhs.end(), {s.groups, s.k});
  rhs.push_back(s.k);
  result.insert(result.end(), {s.groups, s.n});
  CaseBuilder builder(s, seed, result);
  builder.tensor("lhs", s.lhs_type, lhs, false);
  builder.tensor("rhs", s.rhs_type, rhs, s.constant_rhs);
  builder.parameters(s.blocks);
  auto attrs = std::make_shared<ContractionAttrs>();
  attrs->windows = s.windows;
  attrs->accumulator = s.accumulator;
  attrs->blocks = s.blocks;
  attrs->scale_order = s.scale_order;
  attrs->sum_order = s.sum_order;
  attrs->steps = s.steps;
  return builder.finish("contraction", attrs);
}

NodeCase make_depthwise(const ContractionSpec& s, uint32_t seed) {
  Shape lhs = {s.images}, rhs, result = {s.images};
  for (size_t i = 0; i < s.spatial.size(); i++) {
    lhs.push_back(s.spatial[i]);
    rhs.push_back(s.windows[i].kernel);
    result.push_back(positions(s.spatial[i], s.windows[i]));
  }
  lhs.push_back(s.k);
  rhs.insert(rhs.end(), {s.k, s.n});
  result.push_back(s.k * s.n);
  CaseBuilder builder(s, seed, result);
  builder.tensor("lhs", s.lhs_type, lhs, false);
  builder.tensor("rhs", s.rhs_type, rhs, s.constant_rhs);
  builder.parameters(0);
  auto attrs = std::make_shared<DepthwiseAttrs>();
  attrs->windows = s.windows;
  attrs->accumulator = s.accumulator;
  attrs->scale_order = s.scale_order;
  attrs->steps = s.steps;
  return builder.finish("depthwise", attrs);
}

HostTensor reference_result(const NodeCase& node_case) {
  const Graph& graph = node_case.graph;
  const Node& node = graph.nodes.back();
  const auto value = [&](TensorId id) -> const HostTensor* {
    if (!id.valid()) return nullptr;
    if (graph[id].is_constant()) return graph[id].data.get();
    const auto at = std::find(graph.inputs.begin(), graph.inputs.end(), id);
    return &node_case.inputs[static_cast<size_t>(at - graph.inputs.begin())];
  };
  HostTensor out(graph[node.outputs[0]].type.type, graph[node.outputs[0]].shape());
  EvalContext context{node, {}, {&out}};
  for (const TensorId id : node.inputs)
    context.inputs.push_back(value(id));
  OpRegistry::find(node.op)->evaluate(context);
  return out;
}

}  // namespace qlathe::testing
