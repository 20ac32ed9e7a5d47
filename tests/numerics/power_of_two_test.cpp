#include "frontend/numerics/power_of_two.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

#include "frontend/numerics/calibrate.h"
#include "frontend/numerics/convert.h"

namespace qlathe {
namespace {

// The formula in the header, with the correctly rounded logarithm of the C library's double one.
float by_formula(ValueType type, float x) {
  const float ln = round_to(type, static_cast<float>(std::log(static_cast<double>(x))));
  const float ln2 = round_to(type, 0.6931471805599453f);
  const float log2 = round_to(type, ln * reciprocal_of(type, ln2));
  return round_to(type, std::ldexp(1.f, static_cast<int>(std::ceil(log2))));
}

TEST(PowerOfTwoScale, EqualsItsFormulaForEveryHalfFloat) {
  for (uint32_t bits = 0; bits < 0x7f80; ++bits) {
    const float bf16 = bf16_to_f32(static_cast<uint16_t>(bits));
    if (bf16 >= 0x1p-63f) {
      ASSERT_EQ(power_of_two_scale(ValueType::kBF16, bf16), by_formula(ValueType::kBF16, bf16));
    }
    const float f16 = f16_to_f32(static_cast<uint16_t>(bits));
    if (bits < 0x7c00 && f16 >= 0x1p-7f) {
      ASSERT_EQ(power_of_two_scale(ValueType::kF16, f16), by_formula(ValueType::kF16, f16)) << f16;
    }
  }
}

TEST(PowerOfTwoScale, EqualsItsFormulaAroundEveryPowerOfTwo) {
  for (int k = -63; k <= 127; ++k) {
    const uint32_t power = std::bit_cast<uint32_t>(std::ldexp(1.f, k));
    for (int offset = k == -63 ? 0 : -200; offset <= 200; ++offset) {
      const float x = std::bit_cast<float>(power + static_cast<uint32_t>(offset));
      ASSERT_EQ(power_of_two_scale(ValueType::kF32, x), by_formula(ValueType::kF32, x)) << k << " " << offset;
    }
    const float inside = std::ldexp(1.4f, k);
    ASSERT_EQ(power_of_two_scale(ValueType::kF32, inside), by_formula(ValueType::kF32, inside)) << k;
  }
}

TEST(PowerOfTwoScale, RoundsUpWhereTheReferencesLogarithmIsOff) {
  EXPECT_EQ(power_of_two_scale(ValueType::kF32, 0x1p-13f), 0x1p-12f);
  EXPECT_EQ(power_of_two_scale(ValueType::kF32, 0x1p-15f), 0x1p-14f);
  EXPECT_EQ(power_of_two_scale(ValueType::kF32, 0x1p-14f), 0x1p-14f);
  EXPECT_EQ(power_of_two_scale(ValueType::kF32, 0.3f), 0.5f);
}

}  // namespace
}  // namespace qlathe
