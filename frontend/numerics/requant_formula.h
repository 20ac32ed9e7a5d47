#pragma once

/// The candidate formulas of proof.h as inlined functions, with the conditions under which each is monotone and does
/// not wrap. Internal to the proof.

#include <bit>
#include <cmath>
#include <cstdint>

#include "frontend/numerics/proof.h"

namespace qlathe::requant {

inline constexpr float kMagic32 = 12582912.0f;          // 1.5 * 2^23
inline constexpr double kMagic64 = 6755399441055744.0;  // 1.5 * 2^52

/// Every formula: raw(acc) before the clamp, and whether the value at an end of the interval is inside the range where
/// the formula does not wrap. Monotone in between, so both ends decide.
template <RequantFormula>
struct Formula;

template <>
struct Formula<RequantFormula::kF32Shifted> {
  static float sum(const RequantConstants& c, int64_t acc) {
    return std::fma(std::bit_cast<float>(static_cast<int32_t>(c.bias + acc)), c.m32, c.b32);
  }
  static int64_t raw(const RequantConstants& c, int64_t acc) {
    return static_cast<int64_t>(round_half_even(sum(c, acc))) + c.zero_point;
  }
  static bool inside(const RequantConstants& c, int64_t acc) {
    const int64_t bits = c.bias + acc;
    return bits >= std::bit_cast<int32_t>(0x1p23f) && bits < std::bit_cast<int32_t>(0x1p24f) &&
           std::fabs(sum(c, acc)) <= 0x1p30f && std::abs(int64_t{c.zero_point}) <= int64_t{1} << 29;
  }
};

template <>
struct Formula<RequantFormula::kF32Magic> {
  static float sum(const RequantConstants& c, int64_t acc) { return std::fma(static_cast<float>(acc), c.m32, c.b32); }
  static int64_t raw(const RequantConstants& c, int64_t acc) {
    return std::bit_cast<int32_t>(sum(c, acc)) - int64_t{std::bit_cast<int32_t>(kMagic32)};
  }
  static bool inside(const RequantConstants& c, int64_t acc) {
    const float t = sum(c, acc);
    return t >= 0x1p23f && t < 0x1p24f;
  }
};

template <>
struct Formula<RequantFormula::kF32Fma> {
  static float sum(const RequantConstants& c, int64_t acc) { return std::fma(static_cast<float>(acc), c.m32, c.b32); }
  static int64_t raw(const RequantConstants& c, int64_t acc) {
    return static_cast<int64_t>(round_half_even(sum(c, acc)));
  }
  static bool inside(const RequantConstants& c, int64_t acc) { return std::fabs(sum(c, acc)) <= 0x1p30f; }
};

template <>
struct Formula<RequantFormula::kF32Mul> {
  static int64_t raw(const RequantConstants& c, int64_t acc) {
    return static_cast<int64_t>(round_half_even(static_cast<float>(acc) * c.m32)) + c.zero_point;
  }
  static bool inside(const RequantConstants& c, int64_t acc) {
    return std::fabs(static_cast<float>(acc) * c.m32) <= 0x1p30f && std::abs(int64_t{c.zero_point}) <= int64_t{1} << 29;
  }
};

/// Increasing: also where the offset changes.
template <>
struct Formula<RequantFormula::kF32TwoOffsets> {
  static float sum(const RequantConstants& c, int64_t acc) {
    return std::fma(static_cast<float>(acc), c.m32, acc < c.split ? c.below32 : c.b32);
  }
  static int64_t raw(const RequantConstants& c, int64_t acc) {
    return static_cast<int64_t>(round_half_even(sum(c, acc)));
  }
  static bool inside(const RequantConstants& c, int64_t acc) {
    return std::fabs(sum(c, acc)) <= 0x1p30f && sum(c, int64_t{c.split} - 1) <= sum(c, c.split);
  }
};

template <>
struct Formula<RequantFormula::kF32ThreeOffsets> {
  static float sum(const RequantConstants& c, int64_t acc) {
    return std::fma(static_cast<float>(acc), c.m32,
                    acc < c.split         ? c.below32
                    : acc < c.upper_split ? c.b32
                                          : c.above32);
  }
  static int64_t raw(const RequantConstants& c, int64_t acc) {
    return static_cast<int64_t>(round_half_even(sum(c, acc)));
  }
  static bool inside(const RequantConstants& c, int64_t acc) {
    return std::fabs(sum(c, acc)) <= 0x1p30f && c.split <= c.upper_split &&
           sum(c, int64_t{c.split} - 1) <= sum(c, c.split) &&
           sum(c, int64_t{c.upper_split} - 1) <= sum(c, c.upper_split);
  }
};

/// Increasing: where the sign changes the addend does not fall, b being at least 0.
template <>
struct Formula<RequantFormula::kF64Sided> {
  static double sum(const RequantConstants& c, int64_t acc) {
    return std::fma(static_cast<double>(acc), c.m64, acc < 0 ? -c.b64 : c.b64);
  }
  static int64_t raw(const RequantConstants& c, int64_t acc) {
    return static_cast<int64_t>((sum(c, acc) + kMagic64) - kMagic64) + c.zero_point;  // inside 2^30: half to even
  }
  static bool inside(const RequantConstants& c, int64_t acc) {
    return c.b64 >= 0 && std::fabs(sum(c, acc)) <= 0x1p30 && std::abs(int64_t{c.zero_point}) <= int64_t{1} << 29;
  }
};

template <>
struct Formula<RequantFormula::kF64Magic> {
  static double sum(const RequantConstants& c, int64_t acc) { return std::fma(static_cast<double>(acc), c.m64, c.b64); }
  static int64_t raw(const RequantConstants& c, int64_t acc) {
    return static_cast<int32_t>(static_cast<uint32_t>(std::bit_cast<uint64_t>(sum(c, acc))));
  }
  static bool inside(const RequantConstants& c, int64_t acc) { return std::fabs(sum(c, acc) - kMagic64) <= 0x1p30; }
};

template <>
struct Formula<RequantFormula::kF64Fma> {
  static double sum(const RequantConstants& c, int64_t acc) { return std::fma(static_cast<double>(acc), c.m64, c.b64); }
  static int64_t raw(const RequantConstants& c, int64_t acc) {
    return static_cast<int64_t>((sum(c, acc) + kMagic64) - kMagic64);  // inside 2^30: half to even
  }
  static bool inside(const RequantConstants& c, int64_t acc) { return std::fabs(sum(c, acc)) <= 0x1p30; }
};

template <>
struct Formula<RequantFormula::kI64> {
  static int64_t raw(const RequantConstants& c, int64_t acc) {
    return ((acc * c.mantissa + c.rounding) >> c.shift) + c.zero_point;
  }
  static bool inside(const RequantConstants& c, int64_t acc) {
    __extension__ using Wide = __int128;
    const Wide sum = static_cast<Wide>(acc) * c.mantissa + c.rounding;
    return sum >= INT64_MIN && sum <= INT64_MAX && c.shift >= 0 && c.shift <= 62;
  }
};

/// Not for decreasing functions.
inline bool only_increasing(RequantFormula formula) {
  return formula == RequantFormula::kF32Shifted || formula == RequantFormula::kF32TwoOffsets ||
         formula == RequantFormula::kF32ThreeOffsets || formula == RequantFormula::kF64Sided;
}

/// The formulas on floats take accumulators that a kernel keeps in an int32.
inline bool takes_int32(RequantFormula formula) { return formula != RequantFormula::kI64; }

/// Calls use(Formula<formula>) for a formula known at run time; kReference gives `otherwise`.
template <class Use, class Result>
Result dispatch(RequantFormula formula, Result otherwise, Use&& use) {
  switch (formula) {
    case RequantFormula::kF32Shifted:
      return use(Formula<RequantFormula::kF32Shifted>{});
    case RequantFormula::kF32Magic:
      return use(Formula<RequantFormula::kF32Magic>{});
    case RequantFormula::kF32Fma:
      return use(Formula<RequantFormula::kF32Fma>{});
    case RequantFormula::kF32Mul:
      return use(Formula<RequantFormula::kF32Mul>{});
    case RequantFormula::kF32TwoOffsets:
      return use(Formula<RequantFormula::kF32TwoOffsets>{});
    case RequantFormula::kF32ThreeOffsets:
      return use(Formula<RequantFormula::kF32ThreeOffsets>{});
    case RequantFormula::kF64Sided:
      return use(Formula<RequantFormula::kF64Sided>{});
    case RequantFormula::kF64Magic:
      return use(Formula<RequantFormula::kF64Magic>{});
    case RequantFormula::kF64Fma:
      return use(Formula<RequantFormula::kF64Fma>{});
    case RequantFormula::kI64:
      return use(Formula<RequantFormula::kI64>{});
    case RequantFormula::kReference:
      break;
  }
  return otherwise;
}

/// Constants for `formula` that follow the line, and the number of ways to move them: neighbour(c, n) moves the
/// multiplier by n steps, other_offset(c, n) the offset where that is free. All with a slope >= 0.
RequantConstants nearest_constants(RequantFormula formula, const Affine& line, int32_t lo, int32_t hi);
/// False where there is no such neighbour (below zero, infinite).
bool move_multiplier(RequantFormula formula, RequantConstants& constants, int steps);
void move_offset(RequantFormula formula, RequantConstants& constants, int steps);
bool has_free_offset(RequantFormula formula);
/// Whether the offsets are searched for as well (requant_offsets.h).
inline bool searches_offsets(RequantFormula formula) {
  return formula == RequantFormula::kF32Fma || formula == RequantFormula::kF32TwoOffsets ||
         formula == RequantFormula::kF32ThreeOffsets;
}
/// The constants of the mirrored function acc -> f(-acc).
void mirror(RequantConstants& constants);
/// Empty, or why no constants of this formula can follow the line.
std::string unusable(RequantFormula formula, const Affine& line);

}  // namespace qlathe::requant
