// How the steps of element-wise chains and epilogues are written.
#include <onnx.pb.h>

#include <cmath>

#include "frontend/formats/onnx/export_node.h"

namespace qlathe {
namespace {

/// Steps that are one operator.
const std::map<std::string, std::string>& unary() {
  static const std::map<std::string, std::string> names = {
      {"neg", "Neg"},          {"abs", "Abs"},     {"sqrt", "Sqrt"},
      {"exp", "Exp"},          {"log", "Log"},     {"sin", "Sin"},
      {"cos", "Cos"},          {"erf", "Erf"},     {"floor", "Floor"},
      {"ceil", "Ceil"},        {"round", "Round"}, {"tanh", "Tanh"},
      {"sigmoid", "Sigmoid"},  {"not", "Not"},     {"reciprocal", "Reciprocal"},
      {"softplus", "Softplus"}};
  return names;
}
const std::map<std::string, std::string>& binary() {
  static const std::map<std::string, std::string> names = {{"add", "Add"},         {"sub", "Sub"},
                                                           {"mul", "Mul"},         {"div", "Div"},
                                                           {"min", "Min"},         {"max", "Max"},
                                                           {"pow", "Pow"},         {"less", "Less"},
                                                           {"equal", "Equal"},     {"less_equal", "LessOrEqual"},
                                                           {"greater", "Greater"}, {"greater_equal", "GreaterOrEqual"},
                                                           {"and", "And"},         {"or", "Or"}};
  return names;
}

/// [lo, hi] of a step cut with the range of its type.
std::pair<int64_t, int64_t> range(const PointwiseStep& s) {
  const ValueTypeInfo& type = info(s.type);
  return {static_cast<int64_t>(std::max(std::ceil(s.lo), static_cast<double>(type.min))),
          static_cast<int64_t>(std::min(std::floor(s.hi), static_cast<double>(type.max)))};
}

HostTensor number(ValueType type, int64_t value) {
  HostTensor out(type, {});
  out.set_int(0, value);
  return out;
}

/// The 8-bit type that an integer of fewer bits is kept in; wider ones stay.
ValueType stored(ValueType type) {
  if (info(type).bits > 8) return type;
  return is_signed(type) ? ValueType::kI8 : ValueType::kU8;
}

}  // namespace

std::string OnnxExporter::quantize(const std::string& value, const Shape& shape, const PointwiseStep& s) {
  if (s.rounding != Rounding::kHalfEven) unsupported("rounding", "of QuantizeLinear is half to even");
  if (!is_integer(s.type) || info(s.type).bits > 8)
    unsupported("type", std::string(qlathe::name(s.type)) + " has no QuantizeLinear form here");
  const TensorId scale = node->inputs[static_cast<size_t>(s.operands[0])];
  const TensorId zero = s.operands.size() > 1 ? node->inputs[static_cast<size_t>(s.operands[1])] : kNone;
  const int64_t axis = parameter_axis(scale, shape);
  std::vector<std::string> inputs = {value, parameter(scale, axis)};
  if (zero.valid()) {
    if (!s.zero_point_after) unsupported("zero_point", "is added before the rounding, where ONNX adds it after");
    inputs.push_back(parameter(zero, axis));
    if (stored(graph[zero].type.type) != stored(s.type)) inputs.back() = cast(inputs.back(), s.type);
  } else {
    // The zero point tells the type.
    const Shape of_scale = axis < 0 ? Shape{} : Shape{element_count(graph[scale].shape())};
    inputs.push_back(constant("zero", HostTensor(stored(s.type), of_scale)));
  }
  const std::string q = axis < 0 ? add("QuantizeLinear", inputs) : add("QuantizeLinear", inputs, {}, {{"axis", axis}});
  const auto [lo, hi] = range(s);
  const ValueTypeInfo& kept = info(stored(s.type));
  if (lo <= kept.min && hi >= kept.max) return q;
  return add("Clip", {q, constant("lo", number(stored(s.type), lo)), constant("hi", number(stored(s.type), hi))});
}

std::string OnnxExporter::cast_step(const std::string& value, ValueType type, const PointwiseStep& s) {
  if (is_code(s.type) || is_code(type)) unsupported("type", "codes have no ONNX form here");
  if (!is_integer(s.type)) return cast(value, s.type);
  const auto [lo, hi] = range(s);
  if (is_integer(type)) {
    const bool fits = lo <= info(type).min && hi >= info(type).max;
    const std::string limited =
        fits ? value : add("Clip", {value, constant("lo", number(type, lo)), constant("hi", number(type, hi))});
    return cast(limited, s.type);
  }
  const char* rounding = s.rounding == Rounding::kHalfEven ? "Round"
                         : s.rounding == Rounding::kFloor  ? "Floor"
                         : s.rounding == Rounding::kCeil   ? "Ceil"
                                                           : "";
  std::string whole = value;
  if (*rounding != 0)
    whole = add(rounding, {value});
  else if (s.rounding != Rounding::kToZero)
    unsupported("rounding", "has no ONNX form");
  if (info(s.type).bits <= 16)
    whole = add("Clip", {whole, scalar(static_cast<float>(lo)), scalar(static_cast<float>(hi))});
  return cast(whole, s.type);
}

std::string OnnxExporter::step(const std::string& value, ValueType type, const Shape& shape, const PointwiseStep& s) {
  const auto id = [&](size_t i) { return node->inputs[static_cast<size_t>(s.operands[i])]; };
  const auto operand = [&](size_t i) {
    const Shape& own = graph[id(i)].shape();
    for (size_t d = 0; d < own.size(); d++) {
      const int64_t extent = shape[shape.size() - own.size() + d];
      if (own[d] != 1 && own[d] != extent)
        unsupported("operand", "of shape " + to_string(own) + " stands for tiles, which ONNX does not broadcast");
    }
    return name(id(i));
  };
  const bool narrow = type == ValueType::kF16 || type == ValueType::kBF16;
  if (narrow && s.op != "cast")
    unsupported("type",
                "arithmetic on " + std::string(qlathe::name(type)) + " has no ONNX form with the same rounding");
  if (const auto found = unary().find(s.op); found != unary().end()) return add(found->second, {value});
  if (const auto found = binary().find(s.op); found != binary().end()) {
    const std::string a = operand(0);
    return s.swapped ? add(found->second, {a, value}) : add(found->second, {value, a});
  }
  if (s.op == "not_equal") return add("Not", {add("Equal", {value, operand(0)})});
  if (s.op == "fma") return add("Add", {add("Mul", {value, operand(0)}), operand(1)});
  if (s.op == "rsqrt") return add("Reciprocal", {add("Sqrt", {value})});
  if (s.op == "select") return add("Where", {value, operand(0), operand(1)});
  if (s.op == "silu") return add("Mul", {value, add("Sigmoid", {value})});
  if (s.op == "relu") {
    if (is_float(type)) return add("Relu", {value});
    return add("Max", {value, constant("zero", number(stored(type), 0))});
  }
  if (s.op == "clamp") {
    if (is_integer(type)) {
      const auto [lo, hi] = range(s);
      return add("Clip", {value, constant("lo", number(stored(type), lo)), constant("hi", number(stored(type), hi))});
    }
    return add("Clip", {value, std::isfinite(s.lo) ? scalar(static_cast<float>(s.lo)) : "",
                        std::isfinite(s.hi) ? scalar(static_cast<float>(s.hi)) : ""});
  }
  if (s.op == "hard_swish") {
    const std::string shifted = add("Clip", {add("Add", {value, scalar(3)}), scalar(0), scalar(6)});
    return add("Mul", {value, add("Div", {shifted, scalar(6)})});
  }
  if (s.op == "nonzero_scale")
    return add("Where", {add("Less", {value, scalar(static_cast<float>(s.lo))}), scalar(1), value});
  if (s.op == "elu" || s.op == "leaky_relu") {
    const std::string y = add(s.op == "elu" ? "Elu" : "LeakyRelu", {value});
    auto* attribute = last().add_attribute();
    attribute->set_name("alpha");
    attribute->set_type(onnx::AttributeProto::FLOAT);
    attribute->set_f(static_cast<float>(s.alpha));
    return y;
  }
  if (s.op == "gelu") {
    const std::string bell = add("Erf", {add("Mul", {value, scalar(0.70710678f)})});
    return add("Mul", {add("Mul", {value, scalar(0.5f)}), add("Add", {bell, scalar(1)})});
  }
  if (s.op == "quantize") return quantize(value, shape, s);
  if (s.op == "dequantize") return dequantize(value, shape, id(0), s.operands.size() > 1 ? id(1) : kNone);
  if (s.op == "cast") return cast_step(value, type, s);
  if (s.op.ends_with("_dequantized")) {
    const std::string b = dequantize(name(id(0)), graph[id(0)].shape(), id(1), s.operands.size() > 2 ? id(2) : kNone);
    const std::string op = s.op.starts_with("add") ? "Add" : s.op.starts_with("sub") ? "Sub" : "Mul";
    return s.swapped ? add(op, {b, value}) : add(op, {value, b});
  }
  unsupported("steps", "'" + s.op + "' has no ONNX form here");
}

std::string OnnxExporter::steps(std::string value, ValueType type, const Shape& shape,
                                const std::vector<PointwiseStep>& list) {
  for (const PointwiseStep& s : list) {
    value = step(value, type, shape, s);
    type = s.type;
  }
  return value;
}

}  // namespace qlathe
