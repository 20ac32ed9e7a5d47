#pragma once

/// What an accumulator can reach, from the real weights.

#include <cstdint>
#include <type_traits>

#include "frontend/ir/result.h"

namespace qlathe {

/// Closed interval of an accumulator's final value.
struct AccumulatorInterval {
  int64_t lo = 0, hi = 0;
  friend bool operator==(const AccumulatorInterval&, const AccumulatorInterval&) = default;
};

/// Of bias + sum over i of x[i] * w[i], with every x[i] free in [x_lo, x_hi].
struct AccumulatorBounds {
  AccumulatorInterval reachable;  ///< of the whole sum; both ends are reached
  AccumulatorInterval partial;    ///< of the bias plus any subset of the terms: no order of summation leaves it

  /// No partial sum in any order overflows an int32.
  bool fits_int32() const { return partial.lo >= INT32_MIN && partial.hi <= INT32_MAX; }
};

/// `weights`: `count` values, `stride` elements apart. Weights and inputs with their zero points already subtracted, or
/// both as stored where the correction is in the bias: what the accumulator really adds. Where the input is padded, the
/// interval must hold the padding value. |w|, |x| <= 2^16 and count < 2^29, so that nothing here overflows.
template <class Weight>
AccumulatorBounds accumulator_bounds(const Weight* weights, int64_t count, int64_t stride, int64_t x_lo, int64_t x_hi,
                                     int64_t bias = 0, int64_t weight_zero_point = 0) {
  static_assert(std::is_integral_v<Weight> && sizeof(Weight) <= 2);
  QL_CHECK(x_lo <= x_hi && count >= 0, std::to_string(x_lo) + ".." + std::to_string(x_hi));
  int64_t positive = 0, negative = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t w = weights[i * stride] - weight_zero_point;
    positive += w > 0 ? w : 0;
    negative += w < 0 ? w : 0;
  }
  const auto at_least_0 = [](int64_t x) { return x > 0 ? x : 0; };
  const auto at_most_0 = [](int64_t x) { return x < 0 ? x : 0; };
  AccumulatorBounds bounds;
  bounds.reachable = {bias + positive * x_lo + negative * x_hi, bias + positive * x_hi + negative * x_lo};
  bounds.partial = {bias + positive * at_most_0(x_lo) + negative * at_least_0(x_hi),
                    bias + positive * at_least_0(x_hi) + negative * at_most_0(x_lo)};
  return bounds;
}

/// Whether pmaddubsw (unsigned x times signed w, adjacent pairs added with saturation to int16) is exact for these
/// weights: every pair's sum stays in int16 for inputs in [x_lo, x_hi], 0 <= x_lo. `weights`: in the order in which
/// they are packed; an odd last one stands alone.
inline bool pmaddubsw_is_exact(const int8_t* weights, int64_t count, int64_t stride, int64_t x_lo, int64_t x_hi) {
  QL_CHECK(0 <= x_lo && x_lo <= x_hi && x_hi <= 255, std::to_string(x_lo) + ".." + std::to_string(x_hi));
  const auto largest = [&](int64_t w) { return w > 0 ? w * x_hi : w * x_lo; };
  const auto smallest = [&](int64_t w) { return w > 0 ? w * x_lo : w * x_hi; };
  for (int64_t i = 0; i < count; i += 2) {
    const int64_t first = weights[i * stride], second = i + 1 < count ? weights[(i + 1) * stride] : 0;
    if (largest(first) + largest(second) > INT16_MAX || smallest(first) + smallest(second) < INT16_MIN) return false;
  }
  return true;
}

}  // namespace qlathe
