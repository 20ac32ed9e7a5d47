#pragma once

/// Activation functions over an algebra (algebra.h), float32. Errors in ulp of the result, measured by
/// tests/numerics/accuracy_test.cpp.

#include "frontend/numerics/elementary/exp_log.h"

namespace qlathe::elementary {

/// 1 / (1 + e^-x), by e = e^-|x| so that nothing overflows: 1 / (1 + e) or e / (1 + e). Error at most 2.4 ulp.
template <class A>
typename A::F sigmoid(typename A::F x) {
  auto e = exp<A>(negate<A>(abs<A>(x)));
  auto numerator = A::select(x < A::f32(0.0f), e, A::f32(1.0f));
  return unless_nan<A>(x, numerator / (e + A::f32(1.0f)));
}

/// Error at most 1.4 ulp. |x| < 0.625: odd polynomial, else 1 - 2 / (e^2|x| + 1).
template <class A>
typename A::F tanh(typename A::F x) {
  static constexpr float kC[] = {-0x1.55553p-2f, 0x1.110688p-3f, -0x1.b826fep-5f, 0x1.51971cp-6f, -0x1.734f12p-8f};
  auto t = abs<A>(x);
  auto square = t * t;
  auto small = A::fma(horner<A>(square, kC) * square, t, t);
  auto e = exp<A>(min<A>(t, A::f32(10.0f)) * A::f32(2.0f));
  auto large = A::f32(1.0f) - A::f32(2.0f) / (e + A::f32(1.0f));
  return unless_nan<A>(x, copy_sign<A>(A::select(t < A::f32(0.625f), small, large), x));
}

/// erf(t) for 0 <= t <= 1.
template <class A>
typename A::F erf_small(typename A::F t) {
  static constexpr float kC[] = {0x1.06eba8p-3f, -0x1.81274p-2f,   0x1.ce2d52p-4f, -0x1.b7fec4p-6f,
                                 0x1.542fecp-8f, -0x1.a5197ap-11f, 0x1.4c5cb4p-14f};
  return A::fma(horner<A>(t * t, kC), t, t);
}

/// 1 - erf(t) for 0.45 <= t <= 10.2: e^(-t^2) u h(u) with u = 1 / (1 + t / 2). The exponent t^2 = square + lost comes
/// in two floats, for its rounding error would be magnified by its size.
template <class A>
typename A::F erfc_large(typename A::F t, typename A::F square, typename A::F lost) {
  static constexpr float kC[] = {0x1.20d88p-2f,  0x1.215edcp-2f,  0x1.ee3dbcp-3f, 0x1.af657cp-3f, -0x1.8648e6p-5f,
                                 0x1.3f1b7ep-2f, -0x1.09aa18p-1f, 0x1.33f2cp-2f,  -0x1.ffc34p-5f};
  auto u = A::f32(1.0f) / A::fma(t, A::f32(0.5f), A::f32(1.0f));
  auto e = exp<A>(negate<A>(square));
  return A::fma(negate<A>(lost), e, e) * (u * horner<A>(u, kC));
}

/// Error at most 1.3 ulp.
template <class A>
typename A::F erf(typename A::F x) {
  auto t = abs<A>(x);
  auto bounded = clamp<A>(t, 0.9f, 4.0f);
  auto square = product<A>(bounded, bounded);
  auto outside = erfc_large<A>(bounded, square, A::fma(bounded, bounded, negate<A>(square)));
  auto large = A::fma(A::f32(-1.0f), outside, A::f32(1.0f));
  auto value = A::select(t < A::f32(1.0f), erf_small<A>(min<A>(t, A::f32(1.0f))), large);
  return unless_nan<A>(x, copy_sign<A>(value, x));
}

/// x Phi(x) = x (1 + erf(x / sqrt 2)) / 2. Error at most 6.5 ulp where the result is normal (x > -12.9).
template <class A>
typename A::F gelu(typename A::F x) {
  auto bounded = max<A>(x, A::f32(-14.4f));
  auto magnitude = clamp<A>(abs<A>(bounded), 0.65f, 14.4f);
  auto t = abs<A>(bounded) * A::f32(0x1.6a09e6p-1f);
  auto square = product<A>(magnitude, magnitude);
  auto lost = A::fma(magnitude, magnitude, negate<A>(square));
  auto half = A::f32(0.5f);
  auto tail = half * erfc_large<A>(magnitude * A::f32(0x1.6a09e6p-1f), square * half, lost * half);
  auto centre = erf_small<A>(min<A>(t, A::f32(0.5f)));
  auto positive = x > A::f32(0.0f);
  auto inner = A::fma(A::select(positive, centre, negate<A>(centre)), half, half);
  auto outer = A::select(positive, A::fma(A::f32(-1.0f), tail, A::f32(1.0f)), tail);
  return unless_nan<A>(x, bounded * A::select(t < A::f32(0.5f), inner, outer));
}

/// x sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3), which is x (1 + tanh u) / 2 without its cancellation. Error
/// at most 3 ulp for x > -1, 31 ulp for x > -5 (values under
/// 1e-6 there), growing with x^2 below.
template <class A>
typename A::F gelu_tanh(typename A::F x) {
  auto bounded = max<A>(x, A::f32(-14.4f));
  auto clamped = min<A>(bounded, A::f32(14.4f));
  auto inner = A::fma(clamped * clamped, A::f32(0.0713548162726f), A::f32(1.59576912161f));
  return unless_nan<A>(x, bounded * sigmoid<A>(clamped * inner));
}

/// x sigmoid(x); 0 at -infinity. Error at most 3.2 ulp for x > -87; below, sigmoid is denormal and results are
/// under 1.5e-36.
template <class A>
typename A::F silu(typename A::F x) {
  auto bounded = max<A>(x, A::f32(-128.0f));
  return unless_nan<A>(x, bounded * sigmoid<A>(x));
}

/// min(max(alpha x + beta, 0), 1) with one rounding.
template <class A>
typename A::F hard_sigmoid(typename A::F x, float alpha = 1.0f / 6.0f, float beta = 0.5f) {
  return unless_nan<A>(x, clamp<A>(A::fma(x, A::f32(alpha), A::f32(beta)), 0.0f, 1.0f));
}

/// x hard_sigmoid(x); 0 at -infinity.
template <class A>
typename A::F hard_swish(typename A::F x) {
  return unless_nan<A>(x, max<A>(x, A::f32(-4.0f)) * hard_sigmoid<A>(x));
}

/// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|). Error at most 1.9 ulp.
template <class A>
typename A::F softplus(typename A::F x) {
  return unless_nan<A>(x, max<A>(x, A::f32(0.0f)) + log1p_unit<A>(exp<A>(negate<A>(abs<A>(x)))));
}

/// x > 0 ? x : alpha (e^x - 1). Error at most 1.0 ulp for alpha = 1.
template <class A>
typename A::F elu(typename A::F x, float alpha = 1.0f) {
  auto negative = expm1_negative<A>(x) * A::f32(alpha);
  return unless_nan<A>(x, A::select(x < A::f32(0.0f), negative, x));
}

/// x > 0 ? x : alpha x.
template <class A>
typename A::F leaky_relu(typename A::F x, float alpha) {
  return unless_nan<A>(x, A::select(x > A::f32(0.0f), x, x * A::f32(alpha)));
}

/// x tanh(softplus(x)) = x n / (n + 2) with n = e^x (e^x + 2). Error at most 4.5 ulp for x > -87.
template <class A>
typename A::F mish(typename A::F x) {
  auto bounded = max<A>(x, A::f32(-128.0f));
  auto e = exp<A>(min<A>(bounded, A::f32(20.0f)));
  auto n = product<A>(e, e + A::f32(2.0f));
  return unless_nan<A>(x, bounded * (n / (n + A::f32(2.0f))));
}

}  // namespace qlathe::elementary
