#pragma once

/// Fixed-point functions of a sum over a row, 32 bits: reciprocal, logarithm, inverse square root, with the integers of
/// TFLite's common.h. What `functions.h` says of raw integers holds.

#include "frontend/numerics/fixed/functions.h"

namespace qlathe::fixed {

/// requantize_fixed_double of numerics/requantize.h with a multiplier known at run time, -31 <= shift <= 30.
template <class A>
typename A::I multiplied(typename A::I v, typename A::I mantissa, typename A::I shift) {
  using I = typename A::I;
  const I zero = A::i32(0);
  const I up = A::select(shift > zero, shift, zero), down = A::select(shift > zero, zero, zero - shift);
  return A::rounding_shift_right(A::multiply_high(A::shift_left(v, up), mantissa), down);
}

template <class A>
struct Reciprocal {
  typename A::I scale;           ///< no integer bits
  typename A::I bits_over_unit;  ///< 1 / x = scale * 2^-bits_over_unit
};

/// 1 / x for x > 0 with m integer bits.
template <class A>
Reciprocal<A> reciprocal(typename A::I x, int m) {
  using I = typename A::I;
  const I headroom = A::leading_zeros(x);
  // x without its leading one, as a fraction.
  const I fraction = A::shift_left(x, headroom) & A::i32(INT32_MAX);
  return {one_over_one_plus<A, 32>(fraction), A::i32(m) - headroom};
}

/// x * 2^n for x >= 0, saturated; 0 <= n < 32.
template <class A>
typename A::I scaled_up_by(typename A::I x, typename A::I n) {
  return A::select(x > A::shift_right(A::i32(INT32_MAX), n), A::i32(INT32_MAX), A::shift_left(x, n));
}

/// The natural logarithm of x >= 1 with kIn integer bits; the result has kOut.
template <class A, int kOut, int kIn>
typename A::I log_of_at_least_one(typename A::I x) {
  using I = typename A::I;
  constexpr int kSum = kOut + 1;
  const auto times = [](const I& a, const I& b) { return product<A, 32>(a, b); };
  const I log_2 = A::i32(1488522236), root4_half = A::i32(1805811301), root_half = A::i32(1518500250);
  const I quarter = A::i32((1 << 29) >> kSum);
  // x = r * 2^k with r near 2^(-1/4) in two ways, k + 1/4 and k - 1/4; the smaller r counts.
  const I zeros = A::leading_zeros(x);
  const I r_a = scaled_up<A, 32>(times(A::shift_left(x, zeros - A::i32(1)), root_half), 1);
  const I k_a = A::shift_left(A::i32(kIn) - zeros, 31 - kSum) + quarter;
  const I headroom = A::leading_zeros(times(x, root_half)) - A::i32(1);
  const I r_b = scaled_up_by<A>(x, headroom);
  const I k_b = A::shift_left(A::i32(kIn) - headroom, 31 - kSum) - quarter;
  const I r = A::select(r_a < r_b, r_a, r_b), k = A::select(k_a > k_b, k_a, k_b);
  // log r as a quotient of polynomials in q = 2 * (r - 2^(-1/4)).
  const I mean = (r >> 1) + (root4_half >> 1) + ((r | root4_half) & A::i32(1));
  const I half_q = r - root4_half;
  const I q = half_q + half_q;
  const I square = times(q, q);
  const I numerator = times(q, r) + times(times(q, square), A::i32(117049297));
  const I denominator =
      times(mean, A::i32(1057819769) + q + times(A::i32(127690142), square)) + times(A::i32(638450708), q);
  const I inverse = one_over_one_plus<A, 32>(denominator);
  return scaled_up<A, 32>(times(k, log_2) + times(scaled_down<A>(numerator, kSum), inverse), 1);
}

template <class A>
struct InverseRoot {
  typename A::I mantissa;
  typename A::I shift;  ///< 1 / sqrt(x) = mantissa * 2^(shift - 31)
};

/// 1 / sqrt(x) for an integer x >= 0 by five steps of Newton's method; 0 and 1 give the largest mantissa and shift 0.
template <class A>
InverseRoot<A> inverse_root(typename A::I x) {
  using I = typename A::I;
  const I large = A::select(x > A::i32((1 << 29) - 1), A::i32(1), A::i32(0));
  const I small = A::select(x > A::i32((1 << 29) - 1), x >> 2, x);
  const I usable = A::select(small > A::i32(1), small, A::i32(2));
  const I pairs = ((A::leading_zeros(usable) - A::i32(1)) >> 1) - A::i32(1);
  const I right = A::i32(11) + large - pairs;
  const I a = A::shift_left(usable, pairs + pairs) >> 1;  // three integer bits
  const I half = scaled_down<A>(a, 1);
  I root = A::i32(1 << 28);
  for (int i = 0; i < 5; i++) {
    const I square = product<A, 32>(root, root);
    const I cube = scaled_up<A, 32>(product<A, 32>(square, root), 6);
    root = scaled_up<A, 32>(product<A, 32>(A::i32((1 << 28) + (1 << 27)), root) - product<A, 32>(half, cube), 3);
  }
  root = product<A, 32>(root, A::i32(1518500250));  // 1 / sqrt(2)
  const I zero = A::i32(0);
  const I left = A::select(right < zero, zero - right, zero);
  const I mantissa = A::shift_left(root, left), shift = A::select(right < zero, zero, zero - right);
  const auto tiny = x < A::i32(2);
  return {A::select(tiny, A::i32(INT32_MAX), mantissa), A::select(tiny, zero, shift)};
}

}  // namespace qlathe::fixed
