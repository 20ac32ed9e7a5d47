#pragma once

/// The algebra (frontend/numerics/fixed/algebra.h) of Halide expressions. Includes Halide.h.

#include <Halide.h>

#include <cstdint>

namespace qlathe {

struct HalideFixedAlgebra {
  using I = Halide::Expr;
  using B = Halide::Expr;
  static I i32(int32_t x) { return Halide::Expr(x); }
  static I select(B c, I a, I b) { return Halide::select(std::move(c), std::move(a), std::move(b)); }
  static I multiply_high(I a, I b) {
    const auto i64 = [](int64_t x) { return Halide::Internal::IntImm::make(Halide::Int(64), x); };
    const I high =
        (Halide::cast<int64_t>(a) * Halide::cast<int64_t>(b) + i64(int64_t{1} << 30)) >> Halide::cast<uint64_t>(31);
    return Halide::cast<int32_t>(Halide::min(high, i64(INT32_MAX)));
  }
  static I shift_left(I a, int n) { return shift_left(std::move(a), i32(n)); }
  static I shift_left(I a, I n) {
    return Halide::reinterpret<int32_t>(Halide::reinterpret<uint32_t>(std::move(a))
                                        << Halide::cast<uint32_t>(std::move(n)));
  }
  static I shift_right(I a, I n) { return std::move(a) >> Halide::cast<uint32_t>(std::move(n)); }
  static I rounding_shift_right(const I& a, const I& n) {
    const auto u32 = [](uint32_t x) { return Halide::Internal::UIntImm::make(Halide::UInt(32), x); };
    const Halide::Expr mask = (u32(1) << Halide::cast<uint32_t>(n)) - u32(1);
    const Halide::Expr threshold = (mask >> u32(1)) + Halide::select(a < i32(0), u32(1), u32(0));
    const Halide::Expr rest = Halide::reinterpret<uint32_t>(a) & mask;
    return shift_right(a, n) + Halide::select(rest > threshold, i32(1), i32(0));
  }
  static I leading_zeros(I a) {
    return Halide::cast<int32_t>(Halide::count_leading_zeros(Halide::reinterpret<uint32_t>(std::move(a))));
  }
};

}  // namespace qlathe
