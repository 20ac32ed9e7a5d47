#include "frontend/formats/spec/builder.h"

#include <algorithm>
#include <cmath>

#include "frontend/formats/arrays/array_file.h"
#include "frontend/ir/op_registry.h"
#include "frontend/ir/suggest.h"
#include "frontend/ops/pointwise.h"

namespace qlathe {
namespace {

std::map<std::string, SpecOp>& registry() {
  static std::map<std::string, SpecOp> ops;
  return ops;
}

/// float64 to float32, as NumPy makes float64 by default and nothing here computes with it.
HostTensor narrowed(HostTensor tensor) {
  if (tensor.type() != ValueType::kF64) return tensor;
  HostTensor out(ValueType::kF32, tensor.shape());
  for (int64_t i = 0; i < tensor.size(); ++i) {
    const auto at = static_cast<size_t>(i);
    out.as<float>()[at] = static_cast<float>(tensor.as<double>()[at]);
  }
  return out;
}

/// Index of the first NaN or infinity, -1 if there is none. Exponent bits all ones in every IEEE format.
int64_t first_not_finite(const HostTensor& tensor) {
  const auto find = [&](auto bits, auto exponent) {
    for (size_t i = 0; i < bits.size(); ++i) {
      if ((bits[i] & exponent) == exponent) return static_cast<int64_t>(i);
    }
    return int64_t{-1};
  };
  switch (tensor.type()) {
    case ValueType::kF32:
      return find(tensor.as<uint32_t>(), 0x7F800000u);
    case ValueType::kF16:
      return find(tensor.as<uint16_t>(), uint16_t{0x7C00});
    case ValueType::kBF16:
      return find(tensor.as<uint16_t>(), uint16_t{0x7F80});
    default:
      return -1;
  }
}

}  // namespace

std::optional<TensorId> SpecBuilder::constant(const std::string& array, const Place& place) {
  const auto found = constants_.find(array);
  if (found != constants_.end()) return found->second;
  const auto load = [&]() -> Result<HostTensor> {
    QL_ASSIGN(HostTensor tensor, weights.read(array));
    tensor = narrowed(std::move(tensor));
    const auto stated = array_types.find(array);
    if (stated != array_types.end()) {
      Result<HostTensor> typed = as_value_type(std::move(tensor), stated->second);
      if (!typed.ok()) return typed.status().at({"", array, ""});
      tensor = *std::move(typed);
    }
    if (const int64_t at = first_not_finite(tensor); at >= 0) {
      return Status::user({"", array, ""}, "element " + std::to_string(at) + " is NaN or infinite");
    }
    return tensor;
  };
  Result<HostTensor> tensor = load();
  std::optional<TensorId> id;
  if (tensor.ok()) {
    id = new_constant(array, *std::move(tensor));
  } else {
    problems.merge(tensor.status().at(place));
  }
  constants_.emplace(array, id);
  return id;
}

TensorId SpecBuilder::find(const std::string& name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? kNone : found->second;
}

TensorId SpecBuilder::new_tensor(const std::string& wanted, TensorType type) {
  std::string unique = wanted;
  while (names_.contains(unique))
    unique = wanted + "_" + std::to_string(++suffixes_[wanted]);
  const TensorId id{static_cast<int32_t>(graph.tensors.size())};
  names_.emplace(unique, id);
  graph.tensors.push_back({std::move(unique), std::move(type), std::nullopt, nullptr});
  return id;
}

TensorId SpecBuilder::new_constant(const std::string& wanted, HostTensor data) {
  const TensorId id = new_tensor(wanted, {data.type(), data.shape()});
  graph[id].data = std::make_shared<const HostTensor>(std::move(data));
  return id;
}

bool SpecBuilder::account(size_t bytes) {
  constexpr size_t kMaxMade = size_t{8} << 30;
  made_bytes_ += bytes;
  return made_bytes_ <= kMaxMade;
}

void SpecNode::problem(const std::string& field, std::string message, std::string remedy) {
  fields.problem(field, std::move(message), std::move(remedy));
}

std::optional<int64_t> SpecNode::axis(const std::string& key, int64_t rank, std::optional<int64_t> fallback) {
  const auto given = fields.integer(key);
  if (!given && fields.has(key)) return std::nullopt;
  if (!given && !fallback) {
    problem(key, "is missing");
    return std::nullopt;
  }
  int64_t value = given ? *given : *fallback;
  if (value < -rank || value >= rank) {
    problem(key, "axis " + std::to_string(value) + " is outside the " + std::to_string(rank) + " axes");
    return std::nullopt;
  }
  return value < 0 ? value + rank : value;
}

std::optional<std::vector<int64_t>> SpecNode::axes(const std::string& key, int64_t rank) {
  auto given = fields.integers(key);
  if (!given) return std::nullopt;
  std::vector<int64_t> out;
  for (int64_t value : *given) {
    if (value < -rank || value >= rank) {
      problem(key, "axis " + std::to_string(value) + " is outside the " + std::to_string(rank) + " axes");
      return std::nullopt;
    }
    out.push_back(value < 0 ? value + rank : value);
  }
  if (std::set<int64_t>(out.begin(), out.end()).size() != out.size()) {
    problem(key, "an axis stands twice");
    return std::nullopt;
  }
  return out;
}

std::string SpecNode::array_name(const std::string& parameter) {
  const JsonValue* named = fields.find(parameter);
  if (named && named->string()) return *named->string();
  return module.empty() ? parameter : module + "/" + parameter;
}

bool SpecNode::has_weight(const std::string& parameter) {
  const std::string name = array_name(parameter);
  return builder.weights.has(name) || builder.weights.has(name + ".qvalue");
}

std::optional<TensorId> SpecNode::weight(const std::string& parameter) {
  const std::string name = array_name(parameter);
  const Place place = builder.document.place(fields.value(), id, parameter);
  if (builder.weights.has(name)) {
    if (builder.weights.has(name + ".qvalue")) {
      problem(parameter, "the weights have both " + in_quotes(name) + " and " + in_quotes(name + ".qvalue"),
              "remove one of them");
      return std::nullopt;
    }
    auto constant = builder.constant(name, place);
    if (!constant) fields.fail();
    return constant;
  }
  if (!builder.weights.has(name + ".qvalue")) {
    const std::string near = nearest(name, builder.weights.names());
    problem(parameter, "there is no array " + in_quotes(name) + " in the weights",
            near.empty() ? "" : "did you mean " + in_quotes(near) + "?");
    return std::nullopt;
  }
  // Quantized already: the constant with its parameters, and a node that gives the real values.
  const std::string qvalue = name + ".qvalue", scale = name + ".scale", zero_point = name + ".zero_point";
  if (const TensorId made = builder.find(name); made.valid()) return made;  // a module that is used twice
  if (!builder.weights.has(scale)) {
    problem(parameter, "the weights have " + in_quotes(qvalue) + " and no " + in_quotes(scale));
    return std::nullopt;
  }
  const auto q = builder.constant(qvalue, place), s = builder.constant(scale, place);
  std::vector<TensorId> operands;
  PointwiseStep step;
  step.op = "dequantize";
  step.operands = {1};
  std::optional<TensorId> z;
  if (builder.weights.has(zero_point)) {
    z = builder.constant(zero_point, place);
    step.operands.push_back(2);
  }
  if (!q || !s || (builder.weights.has(zero_point) && !z)) {
    fields.fail();
    return std::nullopt;
  }
  const Shape &shape = type_of(*q).shape, &scales = type_of(*s).shape;
  bool divides = scales.size() == shape.size();
  Shape tile(shape.size(), 1);
  for (size_t d = 0; divides && d < shape.size(); ++d) {
    divides = scales[d] > 0 && shape[d] % scales[d] == 0;
    if (divides) tile[d] = shape[d] / scales[d];
  }
  if (!divides || (z && type_of(*z).shape != scales)) {
    problem(parameter,
            "scale " + to_string(scales) + (z ? " or zero point " + to_string(type_of(*z).shape) : "") +
                " does not fit the values of shape " + to_string(shape),
            "give it the same rank and on every axis an extent that divides the values'");
    return std::nullopt;
  }
  builder.graph[*q].quantization = Quantization{*s, z.value_or(kNone), tile};
  operands = {*q, *s};
  if (z) operands.push_back(*z);
  step.type = is_float(type_of(*s).type) ? type_of(*s).type : ValueType::kF32;
  auto attrs = std::make_shared<PointwiseAttrs>();
  attrs->steps = {step};
  return add_named("pointwise", operands, attrs, name, "");
}

std::optional<TensorId> SpecNode::add(const std::string& op_name, std::vector<TensorId> operands,
                                      std::shared_ptr<const OpAttrs> attrs, const std::string& suffix,
                                      const std::string& rule_op) {
  return add_named(op_name, std::move(operands), std::move(attrs), id + suffix, rule_op);
}

std::optional<TensorId> SpecNode::add_named(const std::string& op_name, std::vector<TensorId> operands,
                                            std::shared_ptr<const OpAttrs> attrs, const std::string& result_name,
                                            const std::string& rule_op) {
  if (!ok()) return std::nullopt;
  if (builder.graph.nodes.size() >= SpecBuilder::kMaxGraphNodes) {
    problem("", "makes a graph of more than " + std::to_string(SpecBuilder::kMaxGraphNodes) + " nodes");
    return std::nullopt;
  }
  QL_CHECK(OpRegistry::find(op_name) != nullptr, op_name);
  Node node{op_name, std::move(operands), {}, std::move(attrs), {}};
  node.origin = {id, module, rule_op, builder.document.position(fields.value().offset())};
  Result<std::vector<TensorType>> types = infer_types(builder.graph, node);
  if (!types.ok()) {
    fields.fail();
    builder.problems.merge(types.status().at(builder.document.place(fields.value(), id)));
    return std::nullopt;
  }
  QL_CHECK(types->size() == 1, op_name);
  node.outputs = {builder.new_tensor(result_name, types->front())};
  builder.graph.nodes.push_back(std::move(node));
  return builder.graph.nodes.back().outputs[0];
}

TensorId SpecNode::constant(const std::string& suffix, HostTensor data) {
  return derived_constant(id + suffix, std::move(data));
}

TensorId SpecNode::derived_constant(const std::string& name, HostTensor data) {
  if (!builder.account(data.byte_size())) problem("", "makes constants that are too large together");
  return builder.new_constant(name, std::move(data));
}

const SpecOp* SpecOps::find(const std::string& name) {
  const auto found = registry().find(name);
  return found == registry().end() ? nullptr : &found->second;
}

std::vector<std::string> SpecOps::names() {
  std::vector<std::string> out;
  for (const auto& entry : registry())
    out.push_back(entry.first);
  return out;
}

SpecOps::Add::Add(std::vector<SpecOp> ops) {
  for (SpecOp& op : ops) {
    const std::string name = op.name;
    const bool added = registry().emplace(name, std::move(op)).second;
    QL_CHECK(added, name);
  }
}

ValueType float_result(ValueType a, ValueType b) {
  return a == b && is_float(a) && a != ValueType::kF64 ? a : ValueType::kF32;
}

}  // namespace qlathe
