#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "frontend/numerics/elementary.h"
#include "frontend/numerics/power_of_two.h"

namespace qlathe::elementary {
namespace {

using S = ScalarAlgebra;

TEST(Pow, ErrorIsWhatTheDocumentationStates) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> uniform(-1, 1);
  double worst = 0;
  float worst_base = 0, worst_exponent = 0;
  for (int i = 0; i < 1 << 21; ++i) {
    // The result's exponent is uniform in +-126; bases are close to 1 in half of the pairs, where exponents are large.
    float base = static_cast<float>(i % 2 ? std::exp2(uniform(random)) : std::exp2(uniform(random) * 120));
    if (base == 1) continue;
    float exponent = static_cast<float>(uniform(random) * 126 / std::log2(base));
    double exact = std::pow(static_cast<double>(base), static_cast<double>(exponent));
    double error = std::fabs(pow<S>(base, exponent) - exact) / std::ldexp(1.0, std::ilogb(exact) - 23);
    if (error > worst) worst = error, worst_base = base, worst_exponent = exponent;
  }
  RecordProperty("ulp", std::to_string(worst));
  EXPECT_LE(worst, 1.3) << worst_base << " ^ " << worst_exponent;
}

TEST(Pow, SpecialCasesAreThoseOfC) {
  const float inf = INFINITY;
  std::vector<float> values = {0.0f,  -0.0f, 1.0f, -1.0f, 2.0f, -2.0f,  0.5f,  -0.5f,       3.0f,
                               -3.0f, 2.5f,  inf,  -inf,  NAN,  1e-42f, 3e38f, 16777217.0f, 8388609.0f};
  for (float x : values) {
    for (float y : values) {
      float expected = static_cast<float>(std::pow(static_cast<double>(x), static_cast<double>(y)));
      float actual = pow<S>(x, y);
      if (std::isnan(expected)) {
        EXPECT_EQ(std::bit_cast<int32_t>(actual), kNaN) << x << " ^ " << y;
      } else if (expected == 0 || std::isinf(expected)) {
        EXPECT_EQ(std::bit_cast<int32_t>(actual), std::bit_cast<int32_t>(expected)) << x << " ^ " << y;
      } else {
        EXPECT_NEAR(actual, expected, std::fabs(expected) * 3e-7) << x << " ^ " << y;
      }
    }
  }
}

TEST(Pow, WholePowersOfSmallIntegersAreExact) {
  for (int base = 2; base <= 10; ++base) {
    double power = 1;
    for (int exponent = 0; power < 0x1p24; ++exponent, power *= base) {
      EXPECT_EQ(pow<S>(static_cast<float>(base), static_cast<float>(exponent)), power) << base << " ^ " << exponent;
    }
  }
}

TEST(PowerOfTwoScale, KernelFormIsTheStatedOne) {
  auto offset = [](int32_t k) { return power_of_two_offset(ValueType::kF32, std::min(k, 127)); };
  for (int k = -63; k <= 127; ++k) {
    for (int32_t step = -80; step <= 80; ++step) {
      float x = std::bit_cast<float>(std::bit_cast<int32_t>(std::ldexp(1.0f, k)) + step);
      if (x < 0x1p-63f || std::isinf(x)) continue;
      EXPECT_EQ(power_of_two_scale<S>(x, offset), qlathe::power_of_two_scale(ValueType::kF32, x)) << x;
    }
    float middle = std::ldexp(1.37f, k);
    EXPECT_EQ(power_of_two_scale<S>(middle, offset), qlathe::power_of_two_scale(ValueType::kF32, middle)) << middle;
  }
}

TEST(PowerOfTwoCeil, ExactFormIsTheNextPowerOfTwo) {
  std::mt19937 random(5);
  for (int i = 0; i < 100000; ++i) {
    float x = std::bit_cast<float>(static_cast<uint32_t>(random() % 0x7e800000u + 0x00800000u));
    int exponent;
    float mantissa = std::frexp(x, &exponent);
    EXPECT_EQ(power_of_two_ceil_exact<S>(x), std::ldexp(1.0f, mantissa == 0.5f ? exponent - 1 : exponent)) << x;
  }
}

}  // namespace
}  // namespace qlathe::elementary
