// quantize, dequantize, requantize with stated parameters.
#include "frontend/formats/spec/builder.h"
#include "frontend/ir/suggest.h"
#include "frontend/ops/fixed_point.h"
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

/// Numbers of a field, and the shape that broadcasts them against the node's input.
struct Numbers {
  Shape shape;
  std::vector<double> values;
};

/// `value`, the field `key`: a number or a list along `axis`.
std::optional<Numbers> numbers_of(SpecNode& node, const JsonValue* value, const std::string& key, bool integer) {
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
  return Numbers{std::move(shape), std::move(numbers)};
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
  const auto numbers = numbers_of(node, value, key, integer);
  if (!numbers) return std::nullopt;
  HostTensor data(integer ? ValueType::kI32 : ValueType::kF32, numbers->shape);
  for (size_t i = 0; i < numbers->values.size(); ++i) {
    if (integer) {
      data.set_int(static_cast<int64_t>(i), static_cast<int64_t>(numbers->values[i]));
    } else {
      data.as<float>()[i] = static_cast<float>(numbers->values[i]);
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
  std::vector<std::string> names;
  for (const char* known : enum_names(Rounding{}))
    names.emplace_back(known);
  const bool requantize = node.op == "requantize";
  if (requantize && *text == "float_half_even") return true;
  for (size_t i = 0; i < names.size(); ++i) {
    if (*text == names[i]) {
      step.rounding = static_cast<Rounding>(i);
      return true;
    }
  }
  if (requantize) names.insert(names.end(), {"float_half_even", "fixed_single", "fixed_double"});
  node.problem("rounding", "there is no rounding " + in_quotes(*text), did_you_mean(*text, names));
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

/// The real multipliers of a fixed-point requantization: numbers as they stand in the file, not as float32.
std::optional<Numbers> real_multipliers(SpecNode& node) {
  const JsonValue* value = node.fields.find("scale");
  if (!value) {
    node.problem("scale", "is missing");
    return std::nullopt;
  }
  std::optional<Numbers> out;
  if (value->string()) {
    const auto id = node.builder.constant(*value->string(), node.builder.document.place(*value, node.id, "scale"));
    if (!id) {
      node.fields.fail();
      return std::nullopt;
    }
    const HostTensor& data = *node.builder.graph[*id].data;
    if (data.type() != ValueType::kF32) {
      node.problem("scale", std::string("is ") + name(data.type()) + ", a fixed-point rounding takes float32");
      return std::nullopt;
    }
    const auto floats = data.as<float>();
    out = Numbers{data.shape(), {floats.begin(), floats.end()}};
  } else {
    out = numbers_of(node, value, "scale", false);
  }
  if (!node.fields.has("axis")) node.fields.ignore("axis");
  if (!out) return std::nullopt;
  for (const double real : out->values) {
    if (real > 0 && real < 0x1p30) continue;
    node.problem("scale", "a fixed-point rounding takes numbers above 0 and below 2^30");
    return std::nullopt;
  }
  return out;
}

/// TFLite's two integer forms: x times a 31-bit multiplier and a power of two, rounded once or twice, plus zero_point.
void read_fixed_requantize(SpecNode& node, RequantizeMode mode) {
  const auto type = result_type(node);
  const auto scale = real_multipliers(node);
  const auto zero_point = parameter(node, "zero_point", true);
  PointwiseStep step;
  step.op = "requantize";
  step.mode = mode;
  step.operands = {1, 2};
  if (const auto lo = node.fields.number("min")) step.lo = *lo;
  if (const auto hi = node.fields.number("max")) step.hi = *hi;
  const ValueType from = node.type(0).type;
  if (from != ValueType::kI32 && from != ValueType::kI64) {
    node.problem("inputs", std::string("takes int32 or int64, not ") + name(from), "cast it, or use quantize");
    return node.result(std::nullopt);
  }
  if (from == ValueType::kI64 && mode == RequantizeMode::kFixedDouble) {
    node.problem("rounding", "int64 has the one form fixed_single (of 16-bit activations)");
    return node.result(std::nullopt);
  }
  if (type && !is_integer(*type)) node.problem("type", "fixed-point rounding gives integers");
  if (!type || !is_integer(*type) || !scale || !zero_point) return node.result(std::nullopt);
  step.type = *type;
  FixedPointOperands constants = fixed_point_operands(scale->shape, scale->values);
  std::vector<TensorId> operands = {node.constant(".multiplier", std::move(constants.multiplier)),
                                    node.constant(".shift", std::move(constants.shift))};
  if (zero_point->valid()) {
    step.operands.push_back(3);
    operands.push_back(*zero_point);
  }
  add_steps(node, {step}, operands);
}

/// An integer accumulator to a quantized type: float32(x) * scale, rounded, plus zero_point, saturated
/// (`float_half_even`, or another rounding of the product), or a fixed-point form.
void read_requantize(SpecNode& node) {
  const auto rounding = node.fields.string("rounding");
  for (const RequantizeMode mode : {RequantizeMode::kFixedSingle, RequantizeMode::kFixedDouble}) {
    if (rounding == enum_names(mode)[static_cast<size_t>(mode)]) return read_fixed_requantize(node, mode);
  }
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
