#pragma once
/// Calls on vectors that act within groups of 16 bytes (`kLaneBytes`), as the shuffles and packs of x86 do: pure extern
/// calls in a kernel's statement. Objects get them by codegen/halide/lower_lane_calls.cpp, emitted C++ calls functions
/// of the same names in the runtime.
#include <Halide.h>

#include <string>
#include <vector>

namespace qlathe {

constexpr int kLaneBytes = 16;

/// zip_lo1, zip_hi1, zip_lo2, zip_hi2: elements of 1 or 2 bytes of a and b in turn, from the lower or upper half of
/// each group.
inline Halide::Expr zip_call(bool high, int bytes, const Halide::Expr& a, const Halide::Expr& b) {
  const std::string name = std::string(high ? "zip_hi" : "zip_lo") + std::to_string(bytes);
  return Halide::Internal::Call::make(a.type(), name, {a, b}, Halide::Internal::Call::PureExtern);
}

/// pack4: four vectors of int32 and one constant z: v + z saturated to bytes: group L of the result is the four int32
/// of group L of each, in order. Where z is not 0, v + z is promised to fit 16 bits.
inline Halide::Expr pack_call(Halide::Type byte, std::vector<Halide::Expr> v, const Halide::Expr& z) {
  const int lanes = 4 * v[0].type().lanes();
  v.push_back(z);
  return Halide::Internal::Call::make(byte.with_lanes(lanes), "pack4", v, Halide::Internal::Call::PureExtern);
}

/// narrow4: the same in the vectors' order: v[0], v[1], v[2], v[3] joined.
inline Halide::Expr narrow_call(Halide::Type byte, std::vector<Halide::Expr> v, const Halide::Expr& z) {
  const int lanes = 4 * v[0].type().lanes();
  v.push_back(z);
  return Halide::Internal::Call::make(byte.with_lanes(lanes), "narrow4", v, Halide::Internal::Call::PureExtern);
}

/// saturated: one int32 and a constant z, added and saturated to a byte. What codegen/halide/merge_narrowing_stores.cpp
/// makes narrow4 of, or an ordinary cast.
inline Halide::Expr saturated_call(Halide::Type byte, const Halide::Expr& x, int32_t z) {
  return Halide::Internal::Call::make(byte.with_lanes(x.type().lanes()), "saturated", {x, Halide::Expr(z)},
                                      Halide::Internal::Call::PureExtern);
}

}  // namespace qlathe
