#pragma once
#include <span>

namespace qlathe {

/// How a real number becomes an integer.
enum class Rounding { kHalfEven, kHalfAwayFromZero, kHalfUp, kFloor, kCeil, kToZero };
/// How an int32 accumulator is scaled by an integer multiplier and shift (TFLite's two forms; see
/// numerics/requantize.h).
enum class RequantizeMode { kFixedSingle, kFixedDouble };
/// The order of a float sum (frontend/numerics/sum.h): ascending into one accumulator, or 16 interleaved partial sums
/// and one tree. Stated on the node, decided by shapes, never by the target.
enum class SumOrder { kSequential, kInterleaved16 };

inline std::span<const char* const> enum_names(Rounding) {
  static constexpr const char* kNames[] = {"half_even", "half_away_from_zero", "half_up", "floor", "ceil", "to_zero"};
  return kNames;
}
inline std::span<const char* const> enum_names(RequantizeMode) {
  static constexpr const char* kNames[] = {"fixed_single", "fixed_double"};
  return kNames;
}
inline std::span<const char* const> enum_names(SumOrder) {
  static constexpr const char* kNames[] = {"sequential", "interleaved16"};
  return kNames;
}

}  // namespace qlathe
