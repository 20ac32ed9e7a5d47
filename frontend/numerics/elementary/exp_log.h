#pragma once

/// Rounding, exponentials and logarithms over an algebra (algebra.h). Coefficients: minimax polynomials with float32
/// coefficients (Sollya's fpminimax) on the stated interval. Errors in units in the last place of the float32 result,
/// measured by tests/numerics/accuracy_test.cpp against double precision.

#include "frontend/numerics/elementary/algebra.h"

namespace qlathe::elementary {

/// Round to the nearest integer, half to even; keeps the sign of zero. Exact.
template <class A>
typename A::F round_half_even(typename A::F x) {
  auto magnitude = abs<A>(x);
  auto rounded = (magnitude + A::f32(8388608.0f)) - A::f32(8388608.0f);
  return unless_nan<A>(x, A::select(magnitude < A::f32(8388608.0f), copy_sign<A>(rounded, x), x));
}

/// Largest integer not above x. Exact.
template <class A>
typename A::F floor(typename A::F x) {
  auto rounded = round_half_even<A>(x);
  return A::select(rounded > x, copy_sign<A>(abs<A>(rounded - A::f32(1.0f)), x), rounded);
}

/// Smallest integer not below x. Exact; -0 for -1 < x < 0.
template <class A>
typename A::F ceil(typename A::F x) {
  return unless_nan<A>(x, negate<A>(floor<A>(negate<A>(x))));
}

/// Added to an exponent n, rounds it and leaves n + 254 in the low 9 bits: half of that is a biased exponent.
inline constexpr float kExponentRounder = kRounder + 254.0f;

/// p * 2^n with one rounding, for 0.5 < p < 2 and -150 <= n <= 128, where `shifted` = kExponentRounder + n. Two factors
/// that are normal floats: the first product is exact, only the second can round.
template <class A>
typename A::F scale_by_power(typename A::F p, typename A::F shifted) {
  auto biased = A::bits(shifted) & A::i32(0x1ff);
  auto half = biased >> 1;
  auto first = A::from_bits(half << 23);
  auto second = A::from_bits((biased - half) << 23);
  return (p * first) * second;
}

/// 2^r for |r| <= 0.5, relative error 2^-28 before rounding.
template <class A>
typename A::F exp2_reduced(typename A::F r) {
  static constexpr float kC[] = {1.0f,          0x1.62e43p-1f,   0x1.ebfbd8p-3f, 0x1.c6af76p-5f,
                                 0x1.3b30ap-7f, 0x1.5f0b82p-10f, 0x1.3fa208p-13f};
  return horner<A>(r, kC);
}

/// (e^r - 1 - r) / r^2 for |r| <= 0.347.
template <class A>
typename A::F exp_tail(typename A::F r) {
  static constexpr float kC[] = {0x1.fffffcp-2f, 0x1.55549p-3f, 0x1.5558a2p-5f, 0x1.123adp-7f, 0x1.6a5e34p-10f};
  return horner<A>(r, kC);
}

inline constexpr float kLog2E = 0x1.715476p0f;
inline constexpr float kLn2High = 0x1.62e43p-1f;
inline constexpr float kLn2Low = -0x1.05c61p-29f;

/// x = n * ln 2 + r with |r| <= 0.347, for |x| <= 104; `shifted` = rounder + n.
template <class A>
struct ExpReduction {
  ExpReduction(typename A::F x, float rounder)
      : shifted(A::fma(x, A::f32(kLog2E), A::f32(rounder))),
        n(shifted - A::f32(rounder)),
        r(A::fma(n, A::f32(-kLn2Low), A::fma(n, A::f32(-kLn2High), x))) {}
  typename A::F shifted, n, r;
};

/// e^x. Error at most 0.9 ulp (denormal results: 0.9). Overflows to infinity above 88.722839, 0 below
/// -103.97.
template <class A>
typename A::F exp(typename A::F x) {
  ExpReduction<A> reduced(clamp<A>(x, -104.0f, 89.0f), kExponentRounder);
  auto p = A::fma(A::fma(exp_tail<A>(reduced.r), reduced.r, A::f32(1.0f)), reduced.r, A::f32(1.0f));
  return unless_nan<A>(x, scale_by_power<A>(p, reduced.shifted));
}

/// 2^x. Error at most 0.9 ulp; exact for integers.
template <class A>
typename A::F exp2(typename A::F x) {
  auto clamped = clamp<A>(x, -150.0f, 128.0f);
  auto shifted = clamped + A::f32(kExponentRounder);
  auto r = clamped - (shifted - A::f32(kExponentRounder));
  return unless_nan<A>(x, scale_by_power<A>(exp2_reduced<A>(r), shifted));
}

/// e^x - 1 for x <= 0 (greater x: as for 0). Error at most 1.0 ulp.
template <class A>
typename A::F expm1_negative(typename A::F x) {
  ExpReduction<A> reduced(clamp<A>(x, -18.0f, 0.0f), kRounder + 127.0f);
  auto r = reduced.r;
  auto p = A::fma(exp_tail<A>(r) * r, r, r);
  auto power = A::from_bits((A::bits(reduced.shifted) & A::i32(0xff)) << 23);
  return unless_nan<A>(x, A::fma(p, power, power - A::f32(1.0f)));
}

/// x = (1 + f) * 2^e with sqrt(1/2) <= 1 + f < sqrt(2), for finite x > 0; f is exact.
template <class A>
struct LogReduction {
  explicit LogReduction(typename A::F x)
      : denormal(x < A::f32(0x1p-126f)),
        offset(A::bits(A::select(denormal, x * A::f32(0x1p23f), x)) - A::i32(0x3f3504f3)),
        e(A::to_float((offset >> 23) - A::select(denormal, A::i32(23), A::i32(0)))),
        f(A::from_bits((offset & A::i32(0x7fffff)) + A::i32(0x3f3504f3)) - A::f32(1.0f)) {}
  typename A::B denormal;
  typename A::I offset;
  typename A::F e, f;
};

/// (log(1 + f) - f + f^2 / 2) / f^3 for -0.293 <= f <= 0.4143.
template <class A>
typename A::F log1p_tail(typename A::F f) {
  static constexpr float kC[] = {0x1.555542p-2f, -0x1.00022p-2f,  0x1.99a7bep-3f, -0x1.547934p-3f,
                                 0x1.2259cap-3f, -0x1.0cd63cp-3f, 0x1.080202p-3f, -0x1.42068ep-4f};
  return horner<A>(f, kC);
}

/// log(1 + f) + e * ln 2 for f in the same interval.
template <class A>
typename A::F log_reduced(typename A::F f, typename A::F e) {
  auto square = f * f;
  auto tail = A::fma(log1p_tail<A>(f), f, A::f32(-0.5f));
  auto low = A::fma(tail, square, e * A::f32(kLn2Low));
  return A::fma(e, A::f32(kLn2High), f + low);
}

/// What the logarithms are outside 0 < x < infinity.
template <class A>
typename A::F log_special(typename A::F x, typename A::F value) {
  auto infinity = A::from_bits(A::i32(kInfinity));
  auto finite = A::select(x < infinity, value, infinity);
  auto positive =
      A::select(x > A::f32(0.0f), finite, A::select(x < A::f32(0.0f), A::from_bits(A::i32(kNaN)), negate<A>(infinity)));
  return unless_nan<A>(x, positive);
}

/// Natural logarithm. Error at most 0.9 ulp; -infinity at 0, NaN below.
template <class A>
typename A::F log(typename A::F x) {
  LogReduction<A> reduced(abs<A>(x));
  return log_special<A>(x, log_reduced<A>(reduced.f, reduced.e));
}

/// Base-2 logarithm. Error at most 1.0 ulp; exact for powers of two.
template <class A>
typename A::F log2(typename A::F x) {
  static constexpr float kC[] = {-0x1.71547p-1f, 0x1.ec7094p-2f,  -0x1.715acap-2f, 0x1.277ef6p-2f, -0x1.eab0f2p-3f,
                                 0x1.a2e5cp-3f,  -0x1.877fdcp-3f, 0x1.7e15f8p-3f,  -0x1.c35f76p-4f};
  LogReduction<A> reduced(abs<A>(x));
  auto f = reduced.f;
  auto low = A::fma(f, A::f32(0x1.4ae0cp-26f), horner<A>(f, kC) * (f * f));
  return log_special<A>(x, reduced.e + A::fma(f, A::f32(kLog2E), low));
}

/// log(1 + x) for 0 <= x <= 1. Error at most 1.5 ulp.
template <class A>
typename A::F log1p_unit(typename A::F x) {
  auto upper = x > A::f32(0.4140625f);
  auto f = A::select(upper, A::fma(x, A::f32(0.5f), A::f32(-0.5f)), x);
  return log_reduced<A>(f, A::select(upper, A::f32(1.0f), A::f32(0.0f)));
}

/// 1 / sqrt(x), two roundings. Error at most 1.5 ulp.
template <class A>
typename A::F rsqrt(typename A::F x) {
  auto value = A::f32(1.0f) / A::sqrt(x);
  return unless_nan<A>(x, A::select(x < A::f32(0.0f), A::from_bits(A::i32(kNaN)), value));
}

}  // namespace qlathe::elementary
