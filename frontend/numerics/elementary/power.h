#pragma once

/// pow and the power-of-two scales over an algebra (algebra.h).

#include "frontend/numerics/elementary/exp_log.h"

namespace qlathe::elementary {

/// A float32 sum of two: value = high + low with |low| at most about an ulp of high.
template <class A>
struct FloatPair {
  typename A::F high, low;
};

/// log2(x) to about 2^-33 relative, for finite x > 0: log2 m = K (s + s^3 / 3 + ...) with s = (m - 1) / (m + 1) and
/// K = 2 / ln 2, the linear term in two floats.
template <class A>
FloatPair<A> log2_pair(typename A::F x) {
  static constexpr float kC[] = {0x1.2776b2p-1f, 0x1.a5f288p-2f, 0x1.5592bp-2f};
  const float k_high = 0x1.715476p1f, k_low = 0x1.4ae0cp-25f, k_third = 0x1.ec709ep-1f;
  LogReduction<A> reduced(x);
  auto f = reduced.f;
  auto sum = f + A::f32(2.0f);
  auto sum_low = f - (sum - A::f32(2.0f));
  auto s = f / sum;
  auto s_low = A::fma(negate<A>(s), sum_low, A::fma(negate<A>(s), sum, f)) / sum;
  auto high = product<A>(s, A::f32(k_high));
  auto low = A::fma(s, A::f32(k_high), negate<A>(high));

  // s^3 (K / 3 + ...): both factors in two floats, for y may be large where the logarithm is small.
  auto square = product<A>(s, s);
  low = A::fma(A::fma(s_low, square, s_low), A::f32(k_high), A::fma(s, A::f32(k_low), low));  // atanh' = 1 + s^2 + ...
  auto square_low = A::fma(s, s, negate<A>(square));
  auto cube = product<A>(square, s);
  auto cube_low = A::fma(square_low, s, A::fma(square, s, negate<A>(cube)));
  auto tail = horner<A>(square, kC);
  auto factor = A::fma(tail, square, A::f32(k_third));
  auto factor_low = A::fma(tail, square, A::f32(k_third) - factor);
  low = A::fma(cube, factor, A::fma(cube_low, factor, A::fma(cube, factor_low, low)));
  auto total = reduced.e + high;
  auto total_low = (high - (total - reduced.e)) + low;
  auto normalized = total + total_low;
  return {normalized, total_low - (normalized - total)};
}

template <class A>
typename A::B is_integer(typename A::F x) {
  return abs<A>(x) > A::f32(8388607.0f) || round_half_even<A>(x) == x;
}

/// x^y with C's special cases (pow(x, 0) = pow(1, y) = 1, also for NaN). Error at most 1.3 ulp.
template <class A>
typename A::F pow(typename A::F x, typename A::F y) {
  auto zero = A::f32(0.0f), one = A::f32(1.0f);
  auto infinity = A::from_bits(A::i32(kInfinity));
  auto base = abs<A>(x);
  auto inner = base > zero && base < infinity;
  FloatPair<A> log = log2_pair<A>(A::select(inner, base, one));

  // y * log2(base) in two floats; where the first is out of range the second does not matter.
  auto high = product<A>(log.high, y);
  auto low = A::fma(log.low, y, A::fma(log.high, y, negate<A>(high)));
  auto bounded = clamp<A>(high, -150.0f, 128.0f);
  auto shifted = bounded + A::f32(kExponentRounder);
  auto r = (bounded - (shifted - A::f32(kExponentRounder))) + A::select(bounded == high, low, zero);
  auto value = scale_by_power<A>(exp2_reduced<A>(r), shifted);

  auto grows = A::select(y > zero, infinity, zero);
  auto shrinks = A::select(y > zero, zero, infinity);
  value = A::select(base == zero, shrinks, A::select(base == infinity, grows, value));
  value = A::select(base == one, one, value);
  auto whole = is_integer<A>(y);
  auto odd = whole && !is_integer<A>(y * A::f32(0.5f));
  auto negative = A::bits(x) < A::i32(0);
  value = A::select(negative && odd, negate<A>(value), value);
  auto undefined = negative && base > zero && base < infinity && !whole;
  auto nan = A::from_bits(A::i32(kNaN));
  value = A::select(undefined || is_nan<A>(x) || is_nan<A>(y), nan, value);
  return A::select(y == zero || x == one, one, value);
}

/// The power-of-two scale of mxfp4 and mxfp8 as float32 (frontend/numerics/power_of_two.h, which says why it is no
/// exact ceiling), for finite x >= 2^-63. `offset(k)` looks up power_of_two_offset(kF32, k) for an integer k in
/// -63..127, and may be called with 128, whose value does not matter.
template <class A, class Offset>
typename A::F power_of_two_scale(typename A::F x, Offset&& offset) {
  auto bits = A::bits(x);
  auto e = (bits >> 23) - A::i32(127);
  auto fraction = bits & A::i32(0x7fffff);
  auto zero = A::i32(0), one = A::i32(1);
  // x >= T(e) and x >= T(e + 1), counted from 2^e; an offset is less than 2^22 in size.
  auto first = A::select(fraction > offset(e) - one, one, zero);
  auto second = A::select(e < A::i32(127) && fraction - A::i32(0x800000) > offset(e + one) - one, one, zero);
  return A::from_bits((e + A::i32(127) + first + second) << 23);
}

/// 2^ceil(log2 x) exactly, by bits, for finite x >= 2^-126; smaller positive x give 2^-126, above 2^127 infinity.
template <class A>
typename A::F power_of_two_ceil_exact(typename A::F x) {
  auto bounded = max<A>(x, A::f32(0x1p-126f));
  return unless_nan<A>(x, A::from_bits((A::bits(bounded) + A::i32(0x7fffff)) & A::i32(kInfinity)));
}

}  // namespace qlathe::elementary
