// Steps that change what a value stands for: cast, quantize, dequantize, requantize.
#include "frontend/numerics/convert.h"

#include <algorithm>
#include <cmath>

#include "frontend/numerics/requantize.h"
#include "frontend/ops/checks.h"
#include "frontend/ops/steps/rules.h"

namespace qlathe {
namespace {

/// `value` rounded to an integral float. Exact: where |value| < 2^23 the differences below are, beyond it value is
/// integral.
float round_integral(float value, Rounding rounding) {
  const float floor = std::floor(value);
  const float rest = value - floor;
  switch (rounding) {
    case Rounding::kHalfEven:
      return rest > 0.5f || (rest == 0.5f && std::fmod(floor, 2.f) != 0.f) ? floor + 1 : floor;
    case Rounding::kHalfAwayFromZero:
      return rest > 0.5f || (rest == 0.5f && value > 0) ? floor + 1 : floor;
    case Rounding::kHalfUp:
      return rest >= 0.5f ? floor + 1 : floor;
    case Rounding::kFloor:
      return floor;
    case Rounding::kCeil:
      return std::ceil(value);
    case Rounding::kToZero:
      return std::trunc(value);
  }
  QL_CHECK(false, std::to_string(static_cast<int>(rounding)));
}

int64_t saturate(int64_t value, const StepArgs& args) {
  return value < args.lo ? args.lo : value > args.hi ? args.hi : value;
}

/// An integral double in [args.lo, args.hi].
int64_t saturate(double value, const StepArgs& args) {
  if (value <= static_cast<double>(args.lo)) return args.lo;
  if (value >= static_cast<double>(args.hi)) return args.hi;
  return static_cast<int64_t>(value);
}

Value float_to(const StepArgs& args, float value) {
  const ValueType type = args.step.type;
  if (is_arithmetic_float(type)) return rounded(args, value);
  if (is_code(type)) return {.i = encode(type, value)};
  if (type == ValueType::kBool) return {.i = value != 0};
  if (std::isnan(value)) return {.i = 0};
  return {.i = saturate(static_cast<double>(round_integral(value, args.step.rounding)), args)};
}

float to_float(ValueType type, Value v) {
  if (is_arithmetic_float(type)) return v.f;
  return is_code(type) ? decode(type, static_cast<uint8_t>(v.i)) : static_cast<float>(v.i);
}

/// The integer that the low bits of `value` are.
int64_t low_bits(ValueType type, int64_t value) {
  const int drop = 64 - info(type).bits;
  const uint64_t top = static_cast<uint64_t>(value) << drop;
  return is_signed(type) ? static_cast<int64_t>(top) >> drop : static_cast<int64_t>(top >> drop);
}

Value cast(const StepArgs& args, Value v, const Value*) {
  const ValueType type = args.step.type;
  if (type == args.value && !is_integer(type)) return v;
  if (is_arithmetic_float(type) || is_code(type) || is_arithmetic_float(args.value)) {
    return float_to(args, to_float(args.value, v));
  }
  if (type == ValueType::kBool) return {.i = v.i != 0};
  return {.i = args.step.wraps ? low_bits(type, v.i) : saturate(v.i, args)};
}

std::string check_cast(const StepTypes& types) {
  if (types.step.wraps && (!is_integer(types.value) || !is_integer(types.step.type)))
    return "wraps between integers only, not from " + std::string(name(types.value)) + " to " + name(types.step.type);
  if (!is_code(types.value) || is_arithmetic_float(types.step.type) || types.step.type == types.value) return "";
  return "decodes " + std::string(name(types.value)) + " to a float, not to " + name(types.step.type);
}

Value quantize(const StepArgs& args, Value v, const Value* operands) {
  const float scale = operands[0].f;
  float t = args.step.reciprocal ? v.f * (1.f / scale) : v.f / scale;
  if (args.operands.size() < 2) return float_to(args, t);
  const int64_t zero_point = operands[1].i;
  if (!args.step.zero_point_after) return float_to(args, t + static_cast<float>(zero_point));
  if (std::isnan(t)) return {.i = 0};
  return {.i = saturate(static_cast<double>(round_integral(t, args.step.rounding)) + static_cast<double>(zero_point),
                        args)};
}

std::string check_zero_point(const StepTypes& types, size_t operand) {
  if (operand >= types.operands.size() || is_integer(types.operands[operand])) return "";
  return "takes an integer zero point, not " + std::string(name(types.operands[operand]));
}

std::string check_quantize(const StepTypes& types) {
  if (!is_arithmetic_float(types.value)) return "takes a float, not " + std::string(name(types.value));
  if (!is_arithmetic_float(types.operands[0]))
    return "takes a float scale, not " + std::string(name(types.operands[0]));
  if (!is_integer(types.step.type) && !is_code(types.step.type)) {
    return "gives an integer or a code, not " + std::string(name(types.step.type));
  }
  if (types.operands.size() > 1 && is_code(types.step.type)) {
    return "has no zero point where the result is " + std::string(name(types.step.type));
  }
  return check_zero_point(types, 1);
}

Value dequantize(const StepArgs& args, Value v, const Value* operands) {
  float value = to_float(args.value, v);
  if (args.operands.size() > 1) value -= static_cast<float>(operands[1].i);
  return rounded(args, value * operands[0].f);
}

std::string check_dequantize(const StepTypes& types) {
  if (!is_integer(types.value) && !is_code(types.value)) {
    return "takes an integer or a code, not " + std::string(name(types.value));
  }
  if (!is_arithmetic_float(types.operands[0]))
    return "takes a float scale, not " + std::string(name(types.operands[0]));
  if (!is_arithmetic_float(types.step.type)) return "gives a float, not " + std::string(name(types.step.type));
  return check_zero_point(types, 1);
}

/// Operands come from files: a shift outside what the formulas take counts as the nearest one.
Value requantize(const StepArgs& args, Value v, const Value* operands) {
  const auto mantissa = static_cast<int32_t>(operands[0].i);
  const auto shift = [&](int64_t largest) {
    return static_cast<int32_t>(std::clamp<int64_t>(operands[1].i, -31, largest));
  };
  const int64_t zero_point = args.operands.size() > 2 ? operands[2].i : 0;
  int64_t result = 0;
  if (args.step.mode == RequantizeMode::kFloat64) {
    const auto exponent = static_cast<int32_t>(std::clamp<int64_t>(operands[1].i, -1000, 900));
    result = requantize_float64(v.i, ExactMultiplier{operands[0].i, exponent}.value());
  } else if (args.value == ValueType::kI64) {
    constexpr int64_t kLimit = int64_t{1} << 47;
    result = requantize_fixed_int16(std::clamp(v.i, -kLimit + 1, kLimit - 1), {mantissa, shift(14)});
  } else if (args.step.mode == RequantizeMode::kFixedSingle) {
    result = requantize_fixed_single(v.i, {mantissa, shift(30)});
  } else {
    result = requantize_fixed_double(v.i, {mantissa, shift(30)});
  }
  return {.i = saturate(saturating_add(result, zero_point), args)};
}

std::string check_requantize(const StepTypes& types) {
  if (types.value != ValueType::kI32 && types.value != ValueType::kI64) {
    return "takes int32 or int64, not " + std::string(name(types.value));
  }
  const ValueType multiplier = types.step.mode == RequantizeMode::kFloat64 ? ValueType::kI64 : ValueType::kI32;
  if (types.operands[0] != multiplier)
    return "takes " + std::string(name(multiplier)) + " multipliers, not " + name(types.operands[0]);
  if (!is_integer(types.operands[1])) return "takes integer shifts, not " + std::string(name(types.operands[1]));
  if (!is_integer(types.step.type)) return "gives an integer, not " + std::string(name(types.step.type));
  return check_zero_point(types, 2);
}

const StepRegistry::Add kSteps{std::vector<StepDef>{
    {"cast", 0, 0, 0, check_cast, cast},
    {"quantize", 1, 2, 0, check_quantize, quantize},
    {"dequantize", 1, 2, 0, check_dequantize, dequantize},
    {"requantize", 2, 3, 0, check_requantize, requantize},
}};

}  // namespace
}  // namespace qlathe
