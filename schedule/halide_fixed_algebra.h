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
  static I leading_zeros(I a) {
    return Halide::cast<int32_t>(Halide::count_leading_zeros(Halide::reinterpret<uint32_t>(std::move(a))));
  }
};

}  // namespace qlathe
