#pragma once

/// The algebra (frontend/numerics/elementary/algebra.h) of Halide expressions: `elementary::exp<HalideAlgebra>(x)` is
/// the expression whose bits equal the reference's, in kernels compiled with strict_float. Includes Halide.h.

#include <Halide.h>

#include <cstdint>

namespace qlathe {

struct HalideAlgebra {
  using F = Halide::Expr;
  using I = Halide::Expr;
  using B = Halide::Expr;
  static F f32(float x) { return Halide::Expr(x); }
  static I i32(int32_t x) { return Halide::Expr(x); }
  /// One rounding. Halide has no such operator; as a call it vectorizes to one instruction.
  static F fma(F a, F b, F c) {
    return Halide::Internal::Call::make(Halide::Float(32), "llvm.fma.f32", {std::move(a), std::move(b), std::move(c)},
                                        Halide::Internal::Call::PureExtern);
  }
  static F sqrt(F x) { return Halide::sqrt(std::move(x)); }
  static Halide::Expr select(B c, Halide::Expr a, Halide::Expr b) {
    return Halide::select(std::move(c), std::move(a), std::move(b));
  }
  static I bits(F x) { return Halide::reinterpret<int32_t>(std::move(x)); }
  static F from_bits(I x) { return Halide::reinterpret<float>(std::move(x)); }
  static F to_float(I x) { return Halide::cast<float>(std::move(x)); }
};

}  // namespace qlathe
