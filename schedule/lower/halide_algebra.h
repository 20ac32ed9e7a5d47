#pragma once
/// The elementary functions' algebra over Halide expressions (frontend/numerics/elementary/algebra.h). Only .cpp files
/// that build pipelines include this.
#include <Halide.h>

#include <cstdint>

namespace qlathe {

struct HalideAlgebra {
  using F = Halide::Expr;
  using I = Halide::Expr;
  using B = Halide::Expr;
  static F f32(float x) { return Halide::Internal::FloatImm::make(Halide::Float(32), static_cast<double>(x)); }
  static I i32(int32_t x) { return Halide::Internal::IntImm::make(Halide::Int(32), x); }
  /// Under strict_float this call is the one way to a fused multiply-add; it becomes one vfmadd, the printer's `fma`.
  static F fma(F a, F b, F c) {
    return Halide::Internal::Call::make(Halide::Float(32), "llvm.fma.f32", {a, b, c},
                                        Halide::Internal::Call::PureExtern);
  }
  static F sqrt(F x) { return Halide::sqrt(x); }
  static Halide::Expr select(B c, Halide::Expr a, Halide::Expr b) { return Halide::select(c, a, b); }
  static I bits(F x) { return Halide::reinterpret<int32_t>(x); }
  static F from_bits(I x) { return Halide::reinterpret<float>(x); }
  static F to_float(I x) { return Halide::cast<float>(x); }
};

}  // namespace qlathe
