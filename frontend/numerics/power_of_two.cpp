#include "frontend/numerics/power_of_two.h"

#include <bit>
#include <cmath>

#include "frontend/numerics/convert.h"

namespace qlathe {
namespace {

// Made from the formula in the header with a correctly rounded ln; tests/numerics/power_of_two_test.cpp checks them
// against it. Index 0 is k = -63 (float16: k = -7).
constexpr int8_t kF32Offsets[191] = {
    3,  -17, 12, -1, 20, 8,  -9, 16, 4,  -17, 12, -1, 20, 8,  -9, 16, 4,  16, 4,  8,  12, 16, 4,  8,  12, 16, 4,  8,
    12, 16,  4,  8,  -8, 0,  4,  8,  -8, 0,   4,  8,  8,  4,  8,  4,  8,  4,  8,  4,  0,  4,  0,  4,  2,  2,  2,  2,
    2,  2,   1,  1,  1,  1,  1,  1,  1,  1,   2,  2,  2,  3,  3,  3,  3,  3,  3,  5,  1,  5,  1,  5,  9,  5,  9,  5,
    9,  5,   9,  9,  13, 1,  5,  9,  13, 1,   5,  9,  13, 17, 21, 9,  13, 17, 21, 9,  13, 17, 21, 9,  13, 17, 29, 17,
    5,  25,  13, 1,  21, 9,  29, 17, 5,  25,  13, 1,  21, 9,  30, 18, 38, 26, 14, 34, 22, 42, 30, 18, 38, 26, 14, 34,
    22, 42,  30, 18, 38, 26, 14, 34, 22, 42,  30, 18, 38, 26, 14, 34, 6,  58, 46, 34, 22, 10, 62, 50, 38, 26, 14, 2,
    54, 42,  30, 18, 6,  58, 46, 34, 22, 10,  62, 50, 38, 26, 14, 2,  54, 42, 30, 18, 6,  59, 47};
constexpr int8_t kBF16Offsets[191] = {
    44,  14,  22, 31,  40,  11,  19,  27, 37,  46,  16,  24,  33,  42,  12,  21, 29,  28,  18, 27,  17,  25,  15,  23,
    13,  22,  30, 20,  28,  18,  27,  17, 7,   15,  6,   13,  22,  12,  20,  10, 14,  13,  12, 11,  11,  10,  9,   8,
    8,   7,   6,  5,   7,   6,   5,   4,  4,   3,   3,   2,   2,   1,   1,   1,  1,   1,   1,  1,   -1,  2,   1,   1,
    -1,  -2,  3,  4,   3,   2,   2,   1,  0,   -2,  -3,  -4,  5,   5,   4,   7,  -4,  6,   -6, 4,   -9,  3,   -12, 1,
    9,   -1,  7,  -4,  6,   -6,  4,   -9, 3,   11,  1,   9,   -1,  7,   7,   15, -21, -8,  4,  11,  -27, -13, 1,   8,
    -32, -19, -5, 5,   13,  -24, -10, 2,  10,  18,  -16, -2,  7,   15,  23,  -7, 4,   11,  20, -13, 1,   8,   16,  -18,
    -5,  5,   13, 21,  -10, 2,   10,  18, -16, -2,  7,   15,  -49, 13,  -24, 30, 2,   -41, 18, -16, 36,  7,   -34, 23,
    -7,  -51, 12, -26, 28,  1,   -44, 16, -18, -60, 5,   -36, 21,  -10, -53, 10, -29, 27,  -1, -46, 15,  -21, -62};
constexpr int8_t kF16Offsets[23] = {-3, 1, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4, 2, 4, 6, 5, 7, 7, 1, 4, 6};

}  // namespace

int power_of_two_offset(ValueType type, int k) {
  const int first = type == ValueType::kF16 ? -7 : -63;
  const int last = type == ValueType::kF16 ? 15 : 127;
  QL_CHECK(k >= first && k <= last, std::string(name(type)) + " exponent " + std::to_string(k));
  const auto at = static_cast<size_t>(k - first);
  if (type == ValueType::kF16) return kF16Offsets[at];
  QL_CHECK(type == ValueType::kBF16 || type == ValueType::kF32, name(type));
  return type == ValueType::kBF16 ? kBF16Offsets[at] : kF32Offsets[at];
}

float power_of_two_scale(ValueType type, float scale) {
  if (!std::isfinite(scale)) return scale;
  QL_CHECK(scale > 0, std::to_string(scale));
  const int e = std::ilogb(scale);
  const int last = type == ValueType::kF16 ? 15 : 127;
  // The offset is taken in the type's own bit pattern: float32 and bfloat16 share the upper half of their bits.
  const auto threshold = [&](int k) {
    const int offset = power_of_two_offset(type, k);
    const float power = std::ldexp(1.f, k);
    if (type == ValueType::kF16) return f16_to_f32(static_cast<uint16_t>(f32_to_f16(power) + offset));
    const int step = type == ValueType::kBF16 ? 1 << 16 : 1;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(power) + static_cast<uint32_t>(offset * step));
  };
  const int above = (scale >= threshold(e)) + (e < last && scale >= threshold(e + 1));
  return round_to(type, std::ldexp(1.f, e + above));
}

}  // namespace qlathe
