// quantize, dequantize, requantize with stated parameters.
#include "frontend/formats/spec/builder.h"
#include "frontend/ir/suggest.h"
#include "frontend/ops/pointwise.h"

namespace qlathe {
namespace {

std::optional<ValueType> result_type(SpecNode& node) {
  const std::string text = node.fields.required_string("type");
  if (text.empty()) return std::nullopt;
  const auto type = parse_value_type(text);
  if (type && (is_integer(*type) || is_code(*type))) return type;
  std::vector<std::string> known;
  for (const ValueTypeInfo& row : value_types()) {
    if (is_integer(row.type) || is_code(row.type)) known.push_back(row.name);
  }
  node.problem("type", "there is no quantized type " + in_quotes(text), did_you_mean(text, known));
  return std::nullopt;
}

/// `scale` or `zero_point`: a number, a list along `axis`, or the name of an array. kNone without the field.
std::optional<TensorId> parameter(SpecNode& node, const std::string& key, bool integer) {
  const JsonValue* value = node.fields.find(key);
  if (!value) return kNone;
  if (value->string()) {
    auto id = node.builder.constant(*value->string(), node.builder.document.place(*value, node.id, key));
    if (!id) node.fields.fail();
    return id;
  }
  std::vector<double> numbers;
  const auto take = [&](const JsonValue& v) {
    const bool good = integer ? v.integer() && std::abs(*v.integer()) <= INT32_MAX : v.number().has_value();
    if (good) numbers.push_back(*v.number());
    return good;
  };
  bool good = value->array() ? !value->array()->empty() : take(*value);
  if (value->array()) {
    for (const JsonValue& v : *value->array())
      good = good && take(v);
  }
  if (!good) {
    node.problem(key, integer ? "expected an integer, a list of them or the name of an array"
                              : "expected a number, a list of numbers or the name of an array");
    return std::nullopt;
  }
  Shape shape;
  if (value->array()) {
    const auto axis = node.axis("axis", node.rank(0), -1);
    if (!axis) return std::nullopt;
    shape.assign(static_cast<size_t>(node.rank(0)), 1);
    shape[static_cast<size_t>(*axis)] = static_cast<int64_t>(numbers.size());
    if (node.type(0).shape[static_cast<size_t>(*axis)] % static_cast<int64_t>(numbers.size()) != 0) {
      node.problem(key, "has " + std::to_string(numbers.size()) + " values for an axis of " +
                            std::to_string(node.type(0).shape[static_cast<size_t>(*axis)]));
      return std::nullopt;
    }
  }
  HostTensor data(integer ? ValueType::kI32 : ValueType::kF32, shape);
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (integer) {
      data.set_int(static_cast<int64_t>(i), static_cast<int64_t>(numbers[i]));
    } else {
      data.as<float>()[i] = static_cast<float>(numbers[i]);
    }
  }
  return node.constant("." + key, std::move(data));
}

struct Parameters {
  TensorId scale, zero_point;
};

std::optional<Parameters> parameters(SpecNode& node) {
  if (!node.fields.has("scale")) node.problem("scale", "is missing");
  const auto scale = parameter(node, "scale", false), zero_point = parameter(node, "zero_point", true);
  if (!node.fields.has("axis")) node.fields.ignore("axis");
  if (!scale || !zero_point || !scale->valid()) return std::nullopt;
  return Parameters{*scale, *zero_point};
}

void add_steps(SpecNode& node, std::vector<PointwiseStep> steps, std::vector<TensorId> operands) {
  auto attrs = std::make_shared<PointwiseAttrs>();
  attrs->steps = std::move(steps);
  operands.insert(operands.begin(), node.inputs[0]);
  node.result(node.add("pointwise", std::move(operands), std::move(attrs)));
}

bool read_rounding(SpecNode& node, PointwiseStep& step) {
  const auto text = node.fields.string("rounding");
  if (!text) return true;
  const auto names = enum_names(Rounding{});
  for (size_t i = 0; i < names.size(); ++i) {
    if (*text == names[i]) {
      step.rounding = static_cast<Rounding>(i);
      return true;
    }
  }
  node.problem("rounding", "there is no rounding " + in_quotes(*text),
               did_you_mean(*text, {names.begin(), names.end()}));
  return false;
}

/// round(x / scale) + zero_point, saturated to the type and to [min, max].
PointwiseStep quantize_step(SpecNode& node, ValueType type) {
  PointwiseStep q;
  q.op = "quantize";
  q.type = type;
  q.zero_point_after = true;
  if (const auto lo = node.fields.number("min")) q.lo = *lo;
  if (const auto hi = node.fields.number("max")) q.hi = *hi;
  read_rounding(node, q);
  return q;
}

void read_quantize(SpecNode& node) {
  const auto type = result_type(node);
  const auto p = parameters(node);
  if (!type || !p) return node.result(std::nullopt);
  PointwiseStep q = quantize_step(node, *type);
  q.operands = {1};
  std::vector<TensorId> operands = {p->scale};
  if (p->zero_point.valid()) {
    q.operands.push_back(2);
    operands.push_back(p->zero_point);
  } else {
    q.zero_point_after = false;
  }
  add_steps(node, {q}, operands);
}

void read_dequantize(SpecNode& node) {
  const auto p = parameters(node);
  if (!p) return node.result(std::nullopt);
  PointwiseStep d;
  d.op = "dequantize";
  d.operands = {1};
  std::vector<TensorId> operands = {p->scale};
  if (p->zero_point.valid()) {
    d.operands.push_back(2);
    operands.push_back(p->zero_point);
  }
  add_steps(node, {d}, operands);
}

/// An integer accumulator to a quantized type: float32(x) * scale, rounded, plus zero_point, saturated
/// (`float_half_even` where the rounding is the default).
void read_requantize(SpecNode& node) {
  const auto type = result_type(node);
  const auto p = parameters(node);
  if (!type || !p) return node.result(std::nullopt);
  if (!is_integer(node.type(0).type)) {
    node.problem("inputs", std::string("takes integers, not ") + name(node.type(0).type), "use quantize");
    return node.result(std::nullopt);
  }
  PointwiseStep to_float, scale, q = quantize_step(node, *type);
  to_float.op = "cast";
  scale.op = "mul";
  scale.operands = {1};
  std::vector<TensorId> operands = {p->scale, node.constant(".one", HostTensor::scalar(1))};
  q.operands = {2};
  if (p->zero_point.valid()) {
    q.operands.push_back(3);
    operands.push_back(p->zero_point);
  } else {
    q.zero_point_after = false;
  }
  add_steps(node, {to_float, scale, q}, operands);
}

const SpecOps::Add kQuantizeOps({
    {"quantize", 1, 1, read_quantize, {"axis", "max", "min", "rounding", "scale", "type", "zero_point"}, false},
    {"dequantize", 1, 1, read_dequantize, {"axis", "scale", "zero_point"}, false},
    {"requantize", 1, 1, read_requantize, {"axis", "max", "min", "rounding", "scale", "type", "zero_point"}, false},
});

}  // namespace
}  // namespace qlathe
