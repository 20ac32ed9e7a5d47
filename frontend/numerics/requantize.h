#pragma once

/// Requantization: an integer accumulator times a positive real number, rounded to an integer, in the forms that model
/// formats define. Sources: TFLite `common.h` (MultiplyByQuantizedMultiplier, its int64 overload, QuantizeMultiplier)
/// and gemmlowp's fixed point; ONNX Runtime and XNNPACK for the float form.

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace qlathe {

/// mantissa * 2^(shift - 31), with 2^30 <= mantissa < 2^31, or both zero.
struct QuantizedMultiplier {
  int32_t mantissa = 0;
  int32_t shift = 0;

  double value() const { return std::ldexp(static_cast<double>(mantissa), shift - 31); }
  friend bool operator==(const QuantizedMultiplier&, const QuantizedMultiplier&) = default;
};

/// frexp form of `real` >= 0 with a mantissa of 31 bits, rounded half up. Below 2^-32: zero. At 2^30 and above, where
/// no shift is left: the largest multiplier.
QuantizedMultiplier quantize_multiplier(double real);

/// One rounding, half up: (acc * mantissa + 2^(30 - shift)) >> (31 - shift). |acc| <= 2^31, -31 <= shift <= 30. The
/// result is not narrowed to int32.
inline int64_t requantize_fixed_single(int64_t acc, QuantizedMultiplier m) {
  const int total = 31 - m.shift;
  return (acc * m.mantissa + (int64_t{1} << (total - 1))) >> total;
}

/// Saturating rounding doubling high multiply: (a * b * 2) >> 32, ties toward +infinity (ARM's sqrdmulh).
inline int32_t doubling_high_multiply(int32_t a, int32_t b) {
  if (a == INT32_MIN && b == INT32_MIN) return INT32_MAX;
  return static_cast<int32_t>((static_cast<int64_t>(a) * b + (int64_t{1} << 30)) >> 31);
}

/// x / 2^exponent rounded half away from zero, 0 <= exponent <= 31.
inline int32_t rounding_divide_by_power(int32_t x, int exponent) {
  const int64_t mask = (int64_t{1} << exponent) - 1;
  const int64_t remainder = x & mask;
  const int64_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

/// Two roundings: doubling high multiply, then the rounding shift. A left shift comes before the multiply and wraps in
/// two's complement. acc is an int32.
inline int64_t requantize_fixed_double(int64_t acc, QuantizedMultiplier m) {
  const int left = std::max(m.shift, 0), right = std::max(-m.shift, 0);
  const auto shifted = static_cast<int32_t>(static_cast<uint32_t>(acc) << left);
  return rounding_divide_by_power(doubling_high_multiply(shifted, m.mantissa), right);
}

/// The mantissa of the 16-bit form: the upper half, rounded half up, at most 0x7fff.
inline int32_t reduced_mantissa(int32_t mantissa) {
  return mantissa < 0x7fff0000 ? (mantissa + (1 << 15)) >> 16 : 0x7fff;
}

/// 16-bit activations with 64-bit accumulators: one rounding, half up, by a 15-bit mantissa. |acc| < 2^47, -31 <= shift
/// <= 14.
inline int64_t requantize_fixed_int16(int64_t acc, QuantizedMultiplier m) {
  const int total = 15 - m.shift;
  return (acc * reduced_mantissa(m.mantissa) + (int64_t{1} << (total - 1))) >> total;
}

/// Half to even; the integer of a float below 2^22 in size without a call.
inline float round_half_even(float x) {
  constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23
  return std::fabs(x) < 4194304.0f ? (x + kRounder) - kRounder : std::nearbyint(x);
}

/// float(acc) * scale in float32, then half to even. Saturates to +-2^62.
inline int64_t requantize_float_half_even(int64_t acc, float scale) {
  const float product = static_cast<float>(acc) * scale;
  return static_cast<int64_t>(round_half_even(std::clamp(product, -0x1p62f, 0x1p62f)));
}

/// double(acc) * scale in float64, then half away from zero. Saturates to +-2^31.
inline int64_t requantize_float64(int64_t acc, double scale) {
  return static_cast<int64_t>(std::round(std::clamp(static_cast<double>(acc) * scale, -0x1p31, 0x1p31 - 1)));
}

/// A float64 as mantissa * 2^exponent with a mantissa of at most 53 bits.
struct ExactMultiplier {
  int64_t mantissa = 0;
  int32_t exponent = 0;
  double value() const { return std::ldexp(static_cast<double>(mantissa), exponent); }
};
inline ExactMultiplier exact_multiplier(double real) {
  int exponent = 0;
  const double fraction = std::frexp(real, &exponent);
  return {static_cast<int64_t>(std::ldexp(fraction, 53)), exponent - 53};
}

enum class RequantizeRounding { kFixedSingle, kFixedDouble, kFixedInt16, kFloatHalfEven, kFloat64 };

/// One channel's requantization, complete: round(acc * scale) + zero_point, saturated to [lo, hi].
struct Requantization {
  RequantizeRounding rounding = RequantizeRounding::kFixedSingle;
  QuantizedMultiplier multiplier;  ///< of the fixed-point forms
  float scale = 0;                 ///< of the float form
  int32_t zero_point = 0;
  int32_t lo = -128, hi = 127;
  double real = 0;  ///< of the float64 form

  int64_t operator()(int64_t acc) const { return std::clamp<int64_t>(rounded(acc) + zero_point, lo, hi); }
  int64_t rounded(int64_t acc) const {
    switch (rounding) {
      case RequantizeRounding::kFixedSingle:
        return requantize_fixed_single(acc, multiplier);
      case RequantizeRounding::kFixedDouble:
        return requantize_fixed_double(acc, multiplier);
      case RequantizeRounding::kFixedInt16:
        return requantize_fixed_int16(acc, multiplier);
      case RequantizeRounding::kFloat64:
        return requantize_float64(acc, real);
      case RequantizeRounding::kFloatHalfEven:
        break;
    }
    return requantize_float_half_even(acc, scale);
  }
  /// The real number that the accumulator is multiplied with.
  double slope() const {
    if (rounding == RequantizeRounding::kFloatHalfEven) return static_cast<double>(scale);
    if (rounding == RequantizeRounding::kFloat64) return real;
    if (rounding == RequantizeRounding::kFixedInt16)
      return std::ldexp(reduced_mantissa(multiplier.mantissa), multiplier.shift - 15);
    return multiplier.value();
  }
};

}  // namespace qlathe
