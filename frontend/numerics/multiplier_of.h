#pragma once

/// quantize_multiplier of requantize.h where this library is not linked: readers of files include operations' headers
/// alone.

#include <cmath>
#include <cstdint>
#include <string>

#include "frontend/ir/result.h"
#include "frontend/numerics/requantize.h"

namespace qlathe {

inline QuantizedMultiplier multiplier_of(double real) {
  QL_CHECK(std::isfinite(real) && real >= 0, std::to_string(real));
  if (real == 0) return {};
  int shift = 0;
  const double fraction = std::frexp(real, &shift);
  auto mantissa = static_cast<int64_t>(std::floor(fraction * 0x1p31 + 0.5));
  if (mantissa == int64_t{1} << 31) {
    mantissa /= 2;
    ++shift;
  }
  if (shift < -31) return {};
  if (shift > 30) return {INT32_MAX, 30};
  return {static_cast<int32_t>(mantissa), shift};
}

}  // namespace qlathe
