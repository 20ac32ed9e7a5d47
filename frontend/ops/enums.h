#pragma once
#include <span>

namespace qlathe {

/// How a real number becomes an integer.
enum class Rounding { kHalfEven, kHalfAwayFromZero, kHalfUp, kFloor, kCeil, kToZero };
/// How an integer accumulator is scaled (numerics/requantize.h): by a 31-bit multiplier and a shift, rounded once or
/// twice (TFLite's two forms), or by a float64, the product rounded half away from zero.
enum class RequantizeMode { kFixedSingle, kFixedDouble, kFloat64 };
/// The order of a float sum (frontend/numerics/sum.h): ascending into one accumulator, or 16 interleaved partial sums
/// and one tree. Stated on the node, decided by shapes, never by the target.
enum class SumOrder { kSequential, kInterleaved16 };

inline std::span<const char* const> enum_names(Rounding) {
  static constexpr const char* kNames[] = {"half_even", "half_away_from_zero", "half_up", "floor", "ceil", "to_zero"};
  return kNames;
}
inline std::span<const char* const> enum_names(RequantizeMode) {
  static constexpr const char* kNames[] = {"fixed_single", "fixed_double", "float64"};
  return kNames;
}
inline std::span<const char* const> enum_names(SumOrder) {
  static constexpr const char* kNames[] = {"sequential", "interleaved16"};
  return kNames;
}

}  // namespace qlathe
