#include "frontend/numerics/brevitas_arith.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace qlathe::brevitas {
namespace {

// log2 in double, rounded once: the float32 nearest to the true value for every float32 argument that matters here (the
// neighbours of powers of two).
float log2_rounded(float x) { return static_cast<float>(std::log2(static_cast<double>(x))); }

// 2^floor(log2 |x|) / 2^mantissa_bits, not below the unit of the subnormals: what one step of the mantissa is worth.
float mantissa_unit(const MinifloatFormat& f, float x) {
  const float magnitude = std::fabs(x) + std::numeric_limits<float>::min();
  const float exponent = std::floor(log2_rounded(magnitude)) - static_cast<float>(f.mantissa_bits);
  const float lowest = static_cast<float>(1 - f.exponent_bias - f.mantissa_bits);
  return std::exp2(std::max(exponent, lowest));
}

}  // namespace

float round_value(RoundMode mode, float x) {
  switch (mode) {
    case RoundMode::kRound:
      return std::nearbyint(x);
    case RoundMode::kFloor:
      return std::floor(x);
    case RoundMode::kCeil:
      return std::ceil(x);
    case RoundMode::kRoundToZero:
      return std::trunc(x);
    case RoundMode::kDpu:
      return x < 0 && x - std::floor(x) == 0.5f ? std::ceil(x) : std::nearbyint(x);
  }
  return x;
}

float clamp_min_signed(float x, double min_value) {
  if (min_value == 0) return x;
  const float bound = static_cast<float>(std::fabs(min_value));
  const float magnitude = std::fabs(x) < bound ? bound : std::fabs(x);
  return x >= 0 ? magnitude : -magnitude;
}

float restrict_value(Restrict restrict, float x) {
  if (restrict == Restrict::kFloat) return std::fabs(x);
  const float exponent = log2_rounded(x);
  return std::exp2(restrict == Restrict::kPowerOfTwoCeil ? std::ceil(exponent) : std::floor(exponent));
}

float scale_divisor(const Quantizer& q) {
  if (q.number == Number::kBinary) return 1.0f;
  float divisor = 1.0f;
  if (q.number == Number::kMinifloat) {
    divisor = q.format.max_value;
  } else if (q.restrict == Restrict::kFloat) {
    divisor = static_cast<float>(q.is_signed ? -q.min_int() : q.max_int());
  } else {
    divisor = std::ldexp(1.0f, q.is_signed ? q.bit_width - 1 : q.bit_width);
  }
  return restrict_value(q.restrict, divisor);
}

float parameter_scale(const Quantizer& q, float statistic) {
  if (q.statistic == Statistic::kUnit) return 1.0f;
  const float bounded = clamp_min_signed(statistic, q.scaling_min_val);
  return clamp_min_signed(restrict_value(q.restrict, bounded), q.scaling_min_val) / scale_divisor(q);
}

float activation_scale(const Quantizer& q, float statistic) {
  if (q.statistic == Statistic::kUnit) return 1.0f;
  // A true average is kept as a statistic to the end, so its bound comes before the division.
  if (q.statistic == Statistic::kAbsMaxMean) return parameter_scale(q, statistic);
  return clamp_min_signed(restrict_value(q.restrict, statistic) / scale_divisor(q), q.scaling_min_val);
}

float zero_point_of(const Quantizer& q, float low_magnitude, float scale) {
  const float lowest = static_cast<float>(q.min_int());
  const float shifted = low_magnitude / scale + lowest;
  if (!q.quantize_zero_point) return shifted;
  const float rounded = round_value(q.rounding, shifted);
  return std::max(std::min(rounded, static_cast<float>(q.max_int())), lowest);
}

Step quantize_value(const Quantizer& q, float x, float scale, float zero_point) {
  if (q.number == Number::kFloat) return {x, x};
  if (q.number == Number::kBinary) {
    const float sign = x >= 0 ? 1.0f : -1.0f;
    return {sign, sign * scale};
  }
  if (q.number == Number::kMinifloat) {
    const float scaled = x / scale;
    const float unit = mantissa_unit(q.format, scaled);
    float stored = unit * round_value(q.rounding, scaled / unit);
    if (stored > q.format.max_value) stored = q.format.max_value;
    if (stored < -q.format.max_value) stored = -q.format.max_value;
    return {stored, stored * scale};
  }
  float stored = round_value(q.rounding, x / scale + zero_point);
  if (stored > static_cast<float>(q.max_int())) stored = static_cast<float>(q.max_int());
  if (stored < static_cast<float>(q.min_int())) stored = static_cast<float>(q.min_int());
  return {stored, (stored - zero_point) * scale};
}

float integer_view(const Quantizer& q, float value, float scale, float zero_point) {
  float integer = value / scale;
  if (q.number == Number::kMinifloat) {
    integer /= mantissa_unit(q.format, integer);
  } else {
    integer += zero_point;
  }
  return std::nearbyint(integer);
}

float kth_smallest(std::span<const float> x, int64_t k) {
  std::vector<float> copy(x.begin(), x.end());
  const int64_t at = std::clamp<int64_t>(k, 1, static_cast<int64_t>(copy.size())) - 1;
  std::nth_element(copy.begin(), copy.begin() + at, copy.end());
  return copy[static_cast<size_t>(at)];
}

int64_t high_percentile_k(double percentile, int64_t n) {
  return static_cast<int64_t>(std::floor(0.01 * percentile * static_cast<double>(n) + 0.5));
}

int64_t low_percentile_k(double percentile, int64_t n) {
  return static_cast<int64_t>(std::ceil(0.01 * percentile * static_cast<double>(n)));
}

float low_statistic(const Quantizer& q, std::span<const float> x) {
  const bool percentile = q.zero_point == ZeroPoint::kLowPercentile || q.statistic == Statistic::kPercentileInterval;
  // The searched low ends start from the minimum, whatever the unsearched one would be.
  const bool from_minimum = !percentile || q.zero_point_search != Search::kNone;
  const auto n = static_cast<int64_t>(x.size());
  const float low =
      from_minimum ? *std::min_element(x.begin(), x.end()) : kth_smallest(x, low_percentile_k(q.low_percentile_q, n));
  return std::min(low, 0.0f);
}

float scale_statistic(const Quantizer& q, std::span<const float> x) {
  const auto n = static_cast<int64_t>(x.size());
  const bool searched = q.scale_search != Search::kNone;
  switch (q.statistic) {
    case Statistic::kMinMax:
    case Statistic::kPercentileInterval: {
      if (q.statistic == Statistic::kMinMax || searched) {
        const auto [low, high] = std::minmax_element(x.begin(), x.end());
        return std::fabs(*high - std::min(*low, 0.0f));
      }
      const float low = std::min(kth_smallest(x, low_percentile_k(q.low_percentile_q, n)), 0.0f);
      return std::fabs(kth_smallest(x, high_percentile_k(q.high_percentile_q, n)) - low);
    }
    default: {
      std::vector<float> magnitudes(x.size());
      std::transform(x.begin(), x.end(), magnitudes.begin(), [](float v) { return std::fabs(v); });
      if (q.statistic == Statistic::kAbsPercentile && !searched)
        return kth_smallest(magnitudes, high_percentile_k(q.high_percentile_q, n));
      return *std::max_element(magnitudes.begin(), magnitudes.end());
    }
  }
}

}  // namespace qlathe::brevitas
