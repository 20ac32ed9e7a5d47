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

NodeCase make_contraction(const ContractionSpec& s, uint32_t seed) {
  std::mt19937 rng(seed);
  NodeCase out;
  out.label = s.label;
  Graph& g = out.graph;
  Shape lhs = {s.batch, s.images}, rhs = {s.batch, s.groups, s.n}, result = {s.batch, s.images};
  for (size_t i = 0; i < s.spatial.size(); i++) {
    const Window& w = s.windows[i];
    lhs.push_back(s.spatial[i]);
    rhs.push_back(w.kernel);
    result.push_back((s.spatial[i] - ((w.kernel - 1) * w.dilation + 1)) / w.stride + 1);
  }
  lhs.insert(lhs.end(), {s.groups, s.k});
  rhs.push_back(s.k);
  result.insert(result.end(), {s.groups, s.n});
  const auto input = [&](const char* name, HostTensor value, bool constant) {
    if (constant) return g.add_constant(name, std::move(value));
    const TensorId id = g.add_input(name, {value.type(), value.shape()});
    out.inputs.push_back(std::move(value));
    return id;
  };
  const auto operand = [&](const char* name, ContractionSpec::Operand kind, bool lhs_side, ValueType type, bool constant) {
    using O = ContractionSpec::Operand;
    if (kind == O::kAbsent) return kNone;
    Shape shape(result.size() + 1, 1);
    if (kind == O::kPerBlock) shape[0] = s.blocks;
    if (kind == O::kPerRow || (kind == O::kPerBlock && lhs_side)) {
      for (size_t d = 0; d + 2 < result.size(); d++)
        shape[d + 1] = result[d];
    }
    if (kind == O::kPerChannel || (kind == O::kPerBlock && !lhs_side)) {
      shape[shape.size() - 2] = result[result.size() - 2];
      shape.back() = result.back();
    }
    HostTensor value = random_tensor(type, shape, rng);
    if (type == ValueType::kF32) {
      for (float& v : value.as<float>())
        v = std::abs(v) * 0.01f + 0.001f;
    }
    return input(name, std::move(value), constant);
  };
  std::vector<TensorId> inputs;
  inputs.push_back(input("lhs", random_tensor(s.lhs_type, lhs, rng), false));
  inputs.push_back(input("rhs", random_tensor(s.rhs_type, rhs, rng), s.constant_rhs));
  inputs.push_back(operand("lhs_zp", s.lhs_zero_point, true, s.lhs_type, !s.run_time_zero_points));
  inputs.push_back(operand("rhs_zp", s.rhs_zero_point, false, s.rhs_type, !s.run_time_zero_points));
  inputs.push_back(operand("lhs_scale", s.lhs_scale, true, ValueType::kF32, false));
  inputs.push_back(operand("rhs_scale", s.rhs_scale, false, ValueType::kF32, true));
  for (const HostTensor& value : s.extra)
    inputs.push_back(input("extra", value, true));
  auto attrs = std::make_shared<ContractionAttrs>();
  attrs->windows = s.windows;
  attrs->accumulator = s.accumulator;
  attrs->blocks = s.blocks;
  attrs->scale_order = s.scale_order;
  attrs->steps = s.steps;
  auto result_id = g.add("contraction", inputs, attrs, {"layer", "", "", ""});
  QL_CHECK(result_id.ok(), s.label + ": " + result_id.status().text());
  g.outputs = {*result_id};
  return out;
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
