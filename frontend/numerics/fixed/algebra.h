#pragma once

/// What the fixed-point functions are written over, so that one source is both the reference (int32_t) and the kernels
/// (Halide expressions). An algebra `A` is a struct of static functions over
///
///   A::I  int32      + - *            no expression here overflows
///                    & | ~ << >>      by an int; >> is arithmetic
///                    < > ==           give A::B
///
///   I A::i32(int32_t)                 constant
///   I A::select(B, I, I)              both sides may be evaluated
///   I A::multiply_high(I a, I b)      (2 * a * b) >> 32, half up, saturated: doubling_high_multiply of
///                                     numerics/requantize.h
///   I A::shift_left(I a, int n)       wraps
///   I A::shift_left(I a, I n)         wraps; 0 <= n < 32
///   I A::shift_right(I a, I n)        arithmetic; 0 <= n < 32
///   I A::rounding_shift_right(I a, I n)   a / 2^n, half away from zero: rounding_divide_by_power; 0 <= n < 32
///   I A::leading_zeros(I a)           of the 32 bits; 32 for 0

#include <bit>
#include <cstdint>

#include "frontend/numerics/requantize.h"

namespace qlathe::fixed {

struct ScalarAlgebra {
  using I = int32_t;
  using B = bool;
  static I i32(int32_t x) { return x; }
  static I select(B c, I a, I b) { return c ? a : b; }
  static I multiply_high(I a, I b) { return doubling_high_multiply(a, b); }
  static I shift_left(I a, I n) { return static_cast<I>(static_cast<uint32_t>(a) << n); }
  static I shift_right(I a, I n) { return a >> n; }
  static I rounding_shift_right(I a, I n) { return rounding_divide_by_power(a, n); }
  static I leading_zeros(I a) { return std::countl_zero(static_cast<uint32_t>(a)); }
};

}  // namespace qlathe::fixed
