#include "frontend/numerics/sum.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace qlathe {
namespace {

/// The order of a sum as text: which values meet which.
std::string order(int64_t n, bool interleaved) {
  struct Text {
    std::string text;
    Text operator+(const Text& other) const {
      if (text.empty()) return other;
      return other.text.empty() ? *this : Text{"(" + text + "+" + other.text + ")"};
    }
  };
  auto step = [](const Text& sum, int64_t i) { return sum + Text{std::to_string(i)}; };
  return (interleaved ? sum_interleaved16(n, Text{}, step) : sum_sequential(n, Text{}, step)).text;
}

TEST(Sum, SequentialTakesIndicesInAscendingOrder) { EXPECT_EQ(order(5, false), "((((0+1)+2)+3)+4)"); }

TEST(Sum, InterleavedAddsEachSixteenthThenHalvesTheTree) {
  EXPECT_EQ(order(17, true), "(((((0+16)+8)+(4+12))+((2+10)+(6+14)))+(((1+9)+(5+13))+((3+11)+(7+15))))");
}

TEST(Sum, InterleavedPaddingWithZerosChangesNoBit) {
  std::mt19937 random(1);
  for (int64_t n = 0; n < 70; ++n) {
    std::vector<float> x(static_cast<size_t>(n + 16), 0.0f);
    for (int64_t i = 0; i < n; ++i)
      x[static_cast<size_t>(i)] = std::ldexp(static_cast<float>(random() % 2001) - 1000.0f, -3);
    if (n > 2) x[1] = -0.0f;
    auto step = [&](float sum, int64_t i) { return sum + x[static_cast<size_t>(i)]; };
    float exact = sum_interleaved16(n, 0.0f, step);
    float padded = sum_interleaved16((n + 15) / 16 * 16, 0.0f, step);
    EXPECT_EQ(std::bit_cast<int32_t>(exact), std::bit_cast<int32_t>(padded)) << n;
  }
}

TEST(Sum, TheTwoOrdersDifferInLastBitsSoTheyMustBeStated) {
  std::mt19937 random(2);
  std::vector<float> x(1000);
  for (float& value : x)
    value = static_cast<float>(random() % 100000) * 1e-5f;
  auto step = [&](float sum, int64_t i) { return sum + x[static_cast<size_t>(i)]; };
  EXPECT_NE(sum_sequential(1000, 0.0f, step), sum_interleaved16(1000, 0.0f, step));
}

}  // namespace
}  // namespace qlathe
