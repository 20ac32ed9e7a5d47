#pragma once

/// The value types that the elementary functions are written over, so that one source is both the reference (plain
/// float) and the kernels (Halide expressions), with the same bits.
///
/// An *algebra* `A` is a struct of static functions over three types that may be the same type:
///
///   A::F  float32    + - * /          each one IEEE operation, round to nearest even, denormals kept, never contracted
///                                     or reassociated
///                    < > ==           false with NaN
///   A::I  int32      + - & | ^        no expression here overflows, not even when constants are distributed over it
///                    << >>            by an int; >> is arithmetic
///                    < > ==
///   A::B  condition  && || !          (! is never applied to a comparison of floats)
///
/// Not used, because Halide 21 gives them another meaning, also with strict_float: <= and >= of floats are true with
/// NaN, and -x is 0 - x.
///
///   F A::f32(float)                   constant
///   I A::i32(int32_t)                 constant
///   F A::fma(F a, F b, F c)           a * b + c with one rounding
///   F A::sqrt(F)                      correctly rounded
///   F A::select(B, F, F), I A::select(B, I, I)     both sides may be evaluated
///   I A::bits(F), F A::from_bits(I)   reinterpretation
///   F A::to_float(I)                  exact here: |i| < 2^24
///
/// Rules for the functions written over an algebra, checked by tests/numerics/contraction_test.cpp:
/// - no product is an operand of + or -: C++ compilers fuse such pairs as they like. `fma` says what is fused;
///   `product(a, b)` is a product that may be added (no compiler may drop the addition of +0, it changes -0).
/// - a result is never a bare product either, and an argument may be one.
/// - NaN is tested on the bits, and every NaN that a function returns is kNaN: hardware differs in sign and payload.
/// - no conversion from float to integer: rounding is the addition of 1.5 * 2^23, the integer is then in the low bits.

#include <bit>
#include <cmath>
#include <cstdint>

namespace qlathe::elementary {

/// Plain floats: the reference. Must be compiled with -ffp-contract=off.
struct ScalarAlgebra {
  using F = float;
  using I = int32_t;
  using B = bool;
  static F f32(float x) { return x; }
  static I i32(int32_t x) { return x; }
  static F fma(F a, F b, F c) { return std::fma(a, b, c); }
  static F sqrt(F x) { return std::sqrt(x); }
  static F select(B c, F a, F b) { return c ? a : b; }
  static I select(B c, I a, I b) { return c ? a : b; }
  static I bits(F x) { return std::bit_cast<int32_t>(x); }
  static F from_bits(I x) { return std::bit_cast<float>(x); }
  static F to_float(I x) { return static_cast<float>(x); }
};

inline constexpr int32_t kSignBit = INT32_MIN;
inline constexpr int32_t kMagnitudeBits = 0x7fffffff;
inline constexpr int32_t kInfinity = 0x7f800000;
inline constexpr int32_t kNaN = 0x7fc00000;
/// Adding it (or it plus a small even integer) to |x| < 2^22 rounds x half to even; the low bits of the sum are the
/// integer's, for the bits below 2^22 of the constant itself are 0.
inline constexpr float kRounder = 12582912.0f;

template <class A>
typename A::F product(typename A::F a, typename A::F b) {
  return A::fma(a, b, A::f32(0.0f));
}

/// Sign flip on the bits: a subtraction from 0 would turn 0 into +0, and compilers may move it over a selected NaN.
template <class A>
typename A::F negate(typename A::F x) {
  return A::from_bits(A::bits(x) ^ A::i32(kSignBit));
}

template <class A>
typename A::F abs(typename A::F x) {
  return A::from_bits(A::bits(x) & A::i32(kMagnitudeBits));
}

/// |x| with the sign of `sign`; x >= 0.
template <class A>
typename A::F copy_sign(typename A::F x, typename A::F sign) {
  return A::from_bits(A::bits(x) | (A::bits(sign) & A::i32(kSignBit)));
}

template <class A>
typename A::B is_nan(typename A::F x) {
  return (A::bits(x) & A::i32(kMagnitudeBits)) > A::i32(kInfinity);
}

/// `value` where x is a number, the one NaN where x is NaN. Also what makes a product safe to add to.
template <class A>
typename A::F unless_nan(typename A::F x, typename A::F value) {
  return A::select(is_nan<A>(x), A::from_bits(A::i32(kNaN)), value);
}

/// x < y ? x : y and x > y ? x : y, as minps and maxps: NaN in x gives y.
template <class A>
typename A::F min(typename A::F x, typename A::F y) {
  return A::select(x < y, x, y);
}
template <class A>
typename A::F max(typename A::F x, typename A::F y) {
  return A::select(x > y, x, y);
}

/// NaN gives lo.
template <class A>
typename A::F clamp(typename A::F x, float lo, float hi) {
  return min<A>(max<A>(x, A::f32(lo)), A::f32(hi));
}

/// c[0] + x * (c[1] + x * (c[2] + ...)), one fused multiply-add per coefficient.
template <class A, int N>
typename A::F horner(typename A::F x, const float (&c)[N]) {
  typename A::F sum = A::f32(c[N - 1]);
  for (int i = N - 2; i >= 0; --i)
    sum = A::fma(sum, x, A::f32(c[i]));
  return sum;
}

}  // namespace qlathe::elementary
