#pragma once

/// sin and cos over an algebra (algebra.h). The argument is reduced by a multiple n of pi/2 in three fused steps with
/// pi/2 as a sum of three floats; the first is exact. Domain: |x| <= kTrigonometricLimit. Beyond it the reduction would
/// have no correct bits, and the result is NaN rather than a wrong number.

#include "frontend/numerics/elementary/algebra.h"

namespace qlathe::elementary {

inline constexpr float kTrigonometricLimit = 1048576.0f;

/// sin(r) for |r| <= pi/4.
template <class A>
typename A::F sin_reduced(typename A::F r, typename A::F square) {
  static constexpr float kC[] = {-0x1.555556p-3f, 0x1.111164p-7f, -0x1.a0485ep-13f, 0x1.77de1p-19f};
  return A::fma(horner<A>(square, kC) * square, r, r);
}

/// cos(r) for r^2 = square, |r| <= pi/4.
template <class A>
typename A::F cos_reduced(typename A::F square) {
  static constexpr float kC[] = {1.0f, -0.5f, 0x1.55554ap-5f, -0x1.6c0c2ap-10f, 0x1.99e8fcp-16f};
  return horner<A>(square, kC);
}

/// sin(x + quarter * pi/2).
template <class A>
typename A::F sin_shifted(typename A::F x, int32_t quarter) {
  auto outside = is_nan<A>(x) || abs<A>(x) > A::f32(kTrigonometricLimit);
  auto bounded = A::select(outside, A::f32(0.0f), x);
  auto shifted = A::fma(bounded, A::f32(0x1.45f306p-1f), A::f32(kRounder));
  auto n = A::f32(kRounder) - shifted;
  auto r = A::fma(n, A::f32(0x1.921fb6p0f), bounded);
  r = A::fma(n, A::f32(-0x1.777a5cp-25f), r);
  r = A::fma(n, A::f32(-0x1.ee59dap-50f), r);
  auto square = r * r;
  auto quadrant = (A::bits(shifted) & A::i32(3)) + A::i32(quarter);
  auto value = A::select((quadrant & A::i32(1)) == A::i32(0), sin_reduced<A>(r, square), cos_reduced<A>(square));
  auto signed_value = A::select((quadrant & A::i32(2)) == A::i32(0), value, negate<A>(value));
  return A::select(outside, A::from_bits(A::i32(kNaN)), signed_value);
}

/// Error at most 1.6 ulp.
template <class A>
typename A::F sin(typename A::F x) {
  return sin_shifted<A>(x, 0);
}

/// Error at most 1.6 ulp.
template <class A>
typename A::F cos(typename A::F x) {
  return sin_shifted<A>(x, 1);
}

}  // namespace qlathe::elementary
