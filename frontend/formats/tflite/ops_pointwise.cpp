// Element-wise operators with two or three operands, on floats, plain integers and quantized values.
#include <algorithm>
#include <cmath>

#include "frontend/formats/import/integer_division.h"
#include "frontend/formats/tflite/integer_arithmetic.h"
#include "frontend/formats/tflite/quantized.h"

namespace qlathe {
namespace {

using Activation = tflite::ActivationFunctionType;

/// Whether the operator computes on quantized values: int16 without a scale is a plain integer.
bool computes_quantized(TfliteNode& node) {
  const ValueType type = node.in_type(0);
  return is_eight_bit(type) || (type == ValueType::kI16 && node.quant_of(node.output()).has_value());
}

void check_same_types(TfliteNode& node) {
  if (node.in_type(0) != node.in_type(1)) {
    node.unsupported("input", std::string("mixes ") + name(node.in_type(0)) + " and " + name(node.in_type(1)));
  }
}

/// A fused activation on a plain result.
TensorId activated(TfliteNode& node, TensorId y, Activation function) {
  if (function == Activation::NONE) return y;
  if (node.type(y).type == ValueType::kF32) {
    TfliteSteps steps(node);
    steps.activation(function);
    return tflite_apply(node, y, std::move(steps));
  }
  PointwiseStep clamp = import_step("clamp", node.type(y).type);
  clamp.lo = function == Activation::RELU_N1_TO_1 ? -1 : 0;
  clamp.hi = function == Activation::RELU6 ? 6 : function == Activation::RELU_N1_TO_1 ? 1 : clamp.hi;
  return node.pointwise(y, {clamp});
}

TensorId plain_binary(TfliteNode& node, const char* op, Activation function) {
  check_same_types(node);
  const ValueType type = node.in_type(0);
  if (type == ValueType::kF32 || type == ValueType::kI32 || type == ValueType::kI64)
    return activated(node, node.binary(op, node.in(0), node.in(1)), function);
  if (is_integer(type) && info(type).bits <= 16) {
    // Results that do not fit wrap, as the runtimes' own integers do.
    const TensorId wide =
        node.binary(op, node.cast(node.in(0), ValueType::kI32), node.cast(node.in(1), ValueType::kI32));
    return node.cast(activated(node, wide, function), type);
  }
  node.unsupported("input", std::string("is ") + name(type) + ", on which there is no " + node.op());
}

struct FixedPair {
  TensorId multiplier, shift;
};
FixedPair fixed_pair(TfliteNode& node, double multiplier) {
  TfliteSteps scratch(node);
  scratch.rescale(multiplier);
  return {scratch.operands[0], scratch.operands[1]};
}

/// XNNPACK's sum: each operand times an integer weight of 20 bits, one rounding shift, half up.
void xnnpack_sum(TfliteNode& node, bool subtract, const TfliteQuant& a, const TfliteQuant& b, const TfliteQuant& y,
                 const TfliteRange& range) {
  const float first = a.scale[0] / y.scale[0], second = b.scale[0] / y.scale[0];
  const int shift = 20 - std::ilogb(std::max(first, second));
  if (shift < 1 || shift > 31)
    node.unsupported("quantization", "the scales of the operands and the result are too far apart");
  const auto weight = [&](float scale) { return std::lrint(std::ldexp(scale, shift)); };
  // The second product as a requantization without a rest: 2^9 times its weight (2^21 at most), and nine bits down.
  constexpr int kSpare = 9;
  const auto scalar = [&](int64_t value) { return tflite_integers(node, {value}); };
  TfliteSteps steps(node);
  steps.center(a.zero_point[0]);
  steps.add("mul", ValueType::kI32, {scalar(weight(first))});
  std::vector<TensorId> with = {node.in(1), scalar(weight(second) << kSpare), scalar(31 - kSpare)};
  if (b.zero_point[0] != 0) with.push_back(tflite_zero_point(node, b.zero_point[0]));
  PointwiseStep& join = steps.add(subtract ? "sub_requantized" : "add_requantized", ValueType::kI32, with);
  join.mode = RequantizeMode::kFixedSingle;
  PointwiseStep& down = steps.add("shift_right", ValueType::kI32);
  down.shift_right = shift;
  down.rounding = Rounding::kHalfUp;
  steps.add("add", ValueType::kI32, {tflite_integers(node, {y.zero_point[0]})});
  PointwiseStep& narrow = steps.add("cast", node.output_type());
  narrow.lo = static_cast<double>(range.lo);
  narrow.hi = static_cast<double>(range.hi);
  node.result(tflite_apply(node, node.in(0), std::move(steps)));
}

/// Both operands brought to half of the larger scale with some bits to spare, then added or subtracted.
void quantized_sum(TfliteNode& node, const char* op, Activation function, bool powers_of_two) {
  check_same_types(node);
  const TfliteQuant a = node.in_quant(0), b = node.in_quant(1), y = node.out_quant();
  const ValueType type = node.in_type(0);
  const TfliteRange range = tflite_range(node, function, node.output_type(), y);
  TfliteSteps steps(node);
  const auto log2_of = [](float scale) { return static_cast<int>(std::lround(std::log2(scale))); };
  const auto is_power = [&](float scale) {
    return std::abs(std::log2(scale) - static_cast<float>(log2_of(scale))) < 1e-3f;
  };
  if (type == ValueType::kI16 && powers_of_two && is_power(a.scale[0]) && is_power(b.scale[0]) &&
      is_power(y.scale[0])) {
    // Scales of powers of two: one operand is shifted, half away from zero, and the sum saturates.
    const int out = log2_of(y.scale[0]), first = out - log2_of(a.scale[0]), second = out - log2_of(b.scale[0]);
    if ((first != 0 && second != 0) || first < 0 || second < 0)
      node.unsupported("quantization", "the scales of powers of two differ by more than a right shift of one operand");
    const auto shifted = [&](size_t i, int by) {
      TfliteSteps chain(node);
      chain.add("cast", ValueType::kI32);
      if (by > 0) {
        PointwiseStep& shift = chain.add("shift_right", ValueType::kI32);
        shift.shift_right = by;
        shift.rounding = Rounding::kHalfAwayFromZero;
      }
      return tflite_apply(node, node.in(i), std::move(chain));
    };
    const TensorId right = shifted(1, second);
    const TensorId left = shifted(0, first);
    steps.add(op, ValueType::kI32, {right});
    PointwiseStep& narrow = steps.add("cast", type);
    narrow.lo = static_cast<double>(range.lo);
    narrow.hi = static_cast<double>(range.hi);
    return node.result(tflite_apply(node, left, std::move(steps)));
  }
  if (node.numerics() == TfliteNumerics::kLitertXnnpack && is_eight_bit(type))
    return xnnpack_sum(node, std::string(op) == "sub", a, b, y, range);
  const int left_shift = type == ValueType::kI16 ? 15 : 20;
  const double twice = static_cast<double>(2 * std::max(a.scale[0], b.scale[0]));
  const auto shift = [&] { return HostTensor::of(ValueType::kI32, {}, std::vector<int32_t>{1 << left_shift}); };
  steps.center(a.zero_point[0]);
  steps.add("mul", ValueType::kI32, {node.constant(shift())});
  steps.rescale(static_cast<double>(a.scale[0]) / twice);
  const FixedPair second = fixed_pair(node, static_cast<double>(b.scale[0]) / twice);
  std::vector<TensorId> with = {node.in(1), second.multiplier, second.shift};
  if (b.zero_point[0] != 0) with.push_back(tflite_zero_point(node, b.zero_point[0]));
  PointwiseStep& join =
      steps.add(std::string(op) == "add" ? "add_requantized" : "sub_requantized", ValueType::kI32, with);
  join.shift_left = left_shift;
  join.mode = RequantizeMode::kFixedDouble;
  const float unit = static_cast<float>(1 << left_shift) * y.scale[0];
  steps.requantize({twice / static_cast<double>(unit)}, node.output_type(), y.zero_point[0],
                   static_cast<double>(range.lo), static_cast<double>(range.hi));
  node.result(tflite_apply(node, node.in(0), std::move(steps)));
}

void read_add(TfliteNode& node) {
  const auto& o = node.options<tflite::AddOptions>();
  if (computes_quantized(node)) return quantized_sum(node, "add", o.fused_activation_function(), o.pot_scale_int16());
  node.result(plain_binary(node, "add", o.fused_activation_function()));
}

void read_sub(TfliteNode& node) {
  const auto& o = node.options<tflite::SubOptions>();
  if (computes_quantized(node)) return quantized_sum(node, "sub", o.fused_activation_function(), o.pot_scale_int16());
  node.result(plain_binary(node, "sub", o.fused_activation_function()));
}

void read_mul(TfliteNode& node) {
  const auto& o = node.options<tflite::MulOptions>();
  if (!computes_quantized(node)) return node.result(plain_binary(node, "mul", o.fused_activation_function()));
  check_same_types(node);
  const TfliteQuant a = node.in_quant(0), b = node.in_quant(1), y = node.out_quant();
  const TfliteRange range = tflite_range(node, o.fused_activation_function(), node.output_type(), y);
  TfliteSteps steps(node);
  steps.center(a.zero_point[0]);
  std::vector<TensorId> with = {node.in(1)};
  if (b.zero_point[0] != 0) with.push_back(tflite_zero_point(node, b.zero_point[0]));
  steps.add("mul_centered", ValueType::kI32, with);
  // In float32, as the runtime does.
  const float multiplier = a.scale[0] * b.scale[0] / y.scale[0];
  if (node.numerics() == TfliteNumerics::kLitertXnnpack && is_eight_bit(node.in_type(0))) {
    steps.requantize_float32({multiplier}, node.output_type(), y.zero_point[0], static_cast<double>(range.lo),
                             static_cast<double>(range.hi));
    return node.result(tflite_apply(node, node.in(0), std::move(steps)));
  }
  steps.requantize({static_cast<double>(multiplier)}, node.output_type(), y.zero_point[0],
                   static_cast<double>(range.lo), static_cast<double>(range.hi));
  node.result(tflite_apply(node, node.in(0), std::move(steps)));
}

/// Small integers as int32.
TensorId divisible(TfliteNode& node, size_t i) {
  const ValueType type = node.in_type(i);
  return is_integer(type) && info(type).bits < 32 ? node.cast(node.in(i), ValueType::kI32) : node.in(i);
}

void read_div(TfliteNode& node) {
  const auto function = node.options<tflite::DivOptions>().fused_activation_function();
  check_same_types(node);
  if (computes_quantized(node)) return node.result(tflite_quantized_division(node, function));
  if (is_float(node.in_type(0))) return node.result(plain_binary(node, "div", function));
  const TensorId a = divisible(node, 0);
  node.result(node.cast(activated(node, import_divide(node, a, divisible(node, 1)), function), node.in_type(0)));
}

void read_squared_difference(TfliteNode& node) {
  if (!computes_quantized(node)) {
    const TensorId d = plain_binary(node, "sub", Activation::NONE);
    return node.result(node.binary("mul", d, d));
  }
  check_same_types(node);
  constexpr int kLeftShift = 7;
  const TfliteQuant a = node.in_quant(0), b = node.in_quant(1), y = node.out_quant();
  const double twice = static_cast<double>(2 * std::max(a.scale[0], b.scale[0]));
  TfliteSteps steps(node);
  steps.center(a.zero_point[0]);
  steps.add("mul", ValueType::kI32, {tflite_integers(node, {1 << kLeftShift})});
  steps.rescale(static_cast<double>(a.scale[0]) / twice);
  const FixedPair second = fixed_pair(node, static_cast<double>(b.scale[0]) / twice);
  std::vector<TensorId> with = {node.in(1), second.multiplier, second.shift};
  if (b.zero_point[0] != 0) with.push_back(tflite_zero_point(node, b.zero_point[0]));
  PointwiseStep& join = steps.add("sub_requantized", ValueType::kI32, with);
  join.shift_left = kLeftShift;
  join.mode = RequantizeMode::kFixedDouble;
  const TensorId difference = tflite_apply(node, node.in(0), std::move(steps));
  TfliteSteps square(node);
  square.add("mul", ValueType::kI32, {difference});
  const float unit = static_cast<float>(1 << (2 * kLeftShift)) * y.scale[0];
  square.requantize({twice * twice / static_cast<double>(unit)}, node.output_type(), y.zero_point[0],
                    static_cast<double>(info(node.output_type()).min),
                    static_cast<double>(info(node.output_type()).max));
  node.result(tflite_apply(node, difference, std::move(square)));
}

/// The larger or smaller of two values of one scale: q is as good as what it stands for.
void read_extreme(TfliteNode& node) {
  check_same_types(node);
  const bool largest = node.op() == "MAXIMUM";
  const ValueType type = node.in_type(0);
  const auto wide = [&](TensorId t) {
    return is_integer(type) && info(type).bits < 32 ? node.cast(t, ValueType::kI32) : t;
  };
  node.result(node.cast(node.binary(largest ? "max" : "min", wide(node.in(0)), wide(node.in(1))), type));
}

void read_pow(TfliteNode& node) {
  check_same_types(node);
  const ValueType type = node.in_type(0);
  if (type == ValueType::kI32) return node.result(tflite_integer_power(node));
  if (type != ValueType::kF32)
    node.unsupported("input", std::string("is ") + name(type) + "; float32 and int32 are supported");
  node.result(node.binary("pow", node.in(0), node.in(1)));
}

void read_floor_div(TfliteNode& node) {
  check_same_types(node);
  const TensorId a = divisible(node, 0), b = divisible(node, 1);
  if (is_float(node.type(a).type)) return node.result(node.unary("floor", node.binary("div", a, b)));
  node.result(node.cast(import_floor_division(node, a, b).quotient, node.in_type(0)));
}

/// What is left of a has the sign of b.
void read_floor_mod(TfliteNode& node) {
  check_same_types(node);
  const TensorId a = divisible(node, 0), b = divisible(node, 1);
  if (is_integer(node.type(a).type))
    return node.result(node.cast(import_floor_division(node, a, b).remainder, node.in_type(0)));
  const TensorId whole = node.unary("floor", node.binary("div", a, b));
  node.result(node.binary("sub", a, node.binary("mul", whole, b)));
}

struct Named {
  const char* tflite;
  const char* step;
};
constexpr Named kCompare[] = {{"EQUAL", "equal"},     {"NOT_EQUAL", "not_equal"},   {"LESS", "less"},
                              {"GREATER", "greater"}, {"LESS_EQUAL", "less_equal"}, {"GREATER_EQUAL", "greater_equal"}};

/// Quantized operands are brought to one fixed-point scale with eight bits to spare.
void read_compare(TfliteNode& node) {
  check_same_types(node);
  const char* step = nullptr;
  for (const Named& row : kCompare) {
    if (node.op() == row.tflite) step = row.step;
  }
  const ValueType type = node.in_type(0);
  // Of int16 only equality looks at the scales.
  const bool looks =
      is_eight_bit(type) || (type == ValueType::kI16 && std::string(step).find("equal") != std::string::npos &&
                             node.op() != "LESS_EQUAL" && node.op() != "GREATER_EQUAL");
  const bool scaled = looks && node.quant_of(node.input(0)) && node.quant_of(node.input(1));
  if (!scaled) {
    const auto wide = [&](size_t i) {
      return is_integer(type) && info(type).bits < 32 ? node.cast(node.in(i), ValueType::kI32) : node.in(i);
    };
    if (type == ValueType::kBool) {
      const auto number = [&](size_t i) { return node.cast(node.in(i), ValueType::kI32); };
      return node.result(node.compare(step, number(0), number(1)));
    }
    return node.result(node.compare(step, wide(0), wide(1)));
  }
  const auto rescaled = [&](size_t i) {
    const TfliteQuant q = node.in_quant(i);
    TfliteSteps steps(node);
    steps.center(q.zero_point[0]);
    steps.add("mul", ValueType::kI32, {tflite_integers(node, {1 << 8})});
    steps.rescale(static_cast<double>(q.scale[0]));
    return tflite_apply(node, node.in(i), std::move(steps));
  };
  const TensorId b = rescaled(1);
  node.result(node.compare(step, rescaled(0), b));
}

void read_logical(TfliteNode& node) {
  if (node.op() == "LOGICAL_NOT")
    return node.result(node.pointwise(node.in(0), {import_step("not", ValueType::kBool)}));
  const char* step = node.op() == "LOGICAL_AND" ? "and" : "or";
  node.result(node.pointwise(node.in(0), {import_step(step, ValueType::kBool, {1})}, {node.in(1)}));
}

/// SELECT takes a condition of the operands' rank, of fewer elements for whole rows, or a scalar; SELECT_V2 broadcasts.
void read_select(TfliteNode& node) {
  TensorId condition = node.in(0);
  const Shape yes = node.in_shape(1);
  if (node.op() == "SELECT" && node.rank(condition) == 1 && yes.size() > 1) {
    Shape rows(yes.size(), 1);
    rows[0] = node.shape(condition)[0];
    condition = node.reshape(condition, rows);
  }
  if (node.in_type(1) != node.in_type(2)) node.problem("input", "the two choices have different types");
  node.result(node.select(condition, node.in(1), node.in(2)));
}

/// max(x, 0) + alpha * min(x, 0) with a slope for every element that broadcasts.
void read_prelu(TfliteNode& node) {
  const TensorId x = node.in(0), alpha = node.in(1);
  if (node.in_type(0) == ValueType::kF32) {
    const TensorId zero = node.scalar(0.0f);
    return node.result(node.select(node.compare("greater_equal", x, zero), x,
                                   node.binary("mul", x, node.cast(alpha, ValueType::kF32))));
  }
  // The slopes of int16 are int8.
  if (node.in_type(0) != ValueType::kI16 || node.in_type(1) != ValueType::kI8) check_same_types(node);
  const TfliteQuant a = node.in_quant(0), w = node.in_quant(1), y = node.out_quant();
  const ValueType type = node.output_type();
  const double lo = static_cast<double>(info(type).min), hi = static_cast<double>(info(type).max);
  TfliteSteps positive(node), negative(node), centered(node);
  positive.center(a.zero_point[0]);
  positive.requantize({static_cast<double>(a.scale[0] / y.scale[0])}, type, y.zero_point[0], lo, hi);
  negative.center(a.zero_point[0]);
  std::vector<TensorId> with = {alpha};
  if (w.zero_point[0] != 0) with.push_back(tflite_zero_point(node, w.zero_point[0]));
  negative.add("mul_centered", ValueType::kI32, with);
  negative.requantize({static_cast<double>(a.scale[0] * w.scale[0] / y.scale[0])}, type, y.zero_point[0], lo, hi);
  centered.add("cast", ValueType::kI32);
  centered.add("greater_equal", ValueType::kBool, {tflite_integers(node, {a.zero_point[0]})});
  const TensorId yes = tflite_apply(node, x, std::move(positive)), no = tflite_apply(node, x, std::move(negative));
  node.result(node.select(tflite_apply(node, x, std::move(centered)), yes, no));
}

void read_add_n(TfliteNode& node) {
  TensorId sum = node.in(0);
  for (size_t i = 1; i < node.input_count(); i++)
    sum = node.binary("add", sum, node.in(i));
  node.result(node.cast(sum, node.in_type(0)));
}

const TfliteOps::Add kOps({
    {"ADD", read_add},
    {"SUB", read_sub},
    {"MUL", read_mul},
    {"DIV", read_div},
    {"SQUARED_DIFFERENCE", read_squared_difference},
    {"MAXIMUM", read_extreme},
    {"MINIMUM", read_extreme},
    {"POW", read_pow},
    {"FLOOR_DIV", read_floor_div},
    {"FLOOR_MOD", read_floor_mod},
    {"EQUAL", read_compare},
    {"NOT_EQUAL", read_compare},
    {"LESS", read_compare},
    {"GREATER", read_compare},
    {"LESS_EQUAL", read_compare},
    {"GREATER_EQUAL", read_compare},
    {"LOGICAL_AND", read_logical},
    {"LOGICAL_OR", read_logical},
    {"LOGICAL_NOT", read_logical},
    {"SELECT", read_select},
    {"SELECT_V2", read_select},
    {"PRELU", read_prelu},
    {"ADD_N", read_add_n},
});

}  // namespace
}  // namespace qlathe
