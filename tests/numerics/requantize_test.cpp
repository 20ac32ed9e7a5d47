#include "frontend/numerics/requantize.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace qlathe {
namespace {

const std::vector<int32_t> kEdges = {INT32_MIN, INT32_MIN + 1, -65536,        -3,       -2, -1, 0, 1, 2,
                                     3,         65535,         INT32_MAX - 1, INT32_MAX};

int32_t any_int32(std::mt19937& random) {
  // Every magnitude is as likely as any other.
  return static_cast<int32_t>(random()) >> (random() % 31);
}

/// gemmlowp's SaturatingRoundingDoublingHighMul as published: a nudge and a truncating division.
int32_t published_high_multiply(int32_t a, int32_t b) {
  if (a == b && a == INT32_MIN) return INT32_MAX;
  const int64_t product = static_cast<int64_t>(a) * b;
  const int64_t nudge = product >= 0 ? 1 << 30 : 1 - (1 << 30);
  return static_cast<int32_t>((product + nudge) / (int64_t{1} << 31));
}

TEST(QuantizedMultiplier, MantissaIsNormalizedAndWithinHalfALastPlace) {
  std::mt19937 random(1);
  for (int i = 0; i < 100000; ++i) {
    const double real = std::ldexp(1.0 + random() * 0x1p-32, static_cast<int>(random() % 58) - 30);
    const QuantizedMultiplier m = quantize_multiplier(real);
    ASSERT_GE(m.mantissa, 1 << 30) << real;
    ASSERT_LE(std::fabs(m.value() - real), real * 0x1p-31) << real;
  }
}

TEST(QuantizedMultiplier, EdgesAreThoseOfTheFormat) {
  EXPECT_EQ(quantize_multiplier(0), (QuantizedMultiplier{0, 0}));
  EXPECT_EQ(quantize_multiplier(0.5), (QuantizedMultiplier{1 << 30, 0}));
  EXPECT_EQ(quantize_multiplier(1.0), (QuantizedMultiplier{1 << 30, 1}));
  EXPECT_EQ(quantize_multiplier(1.0 - 0x1p-40), (QuantizedMultiplier{1 << 30, 1})) << "a mantissa of 2^31 is carried";
  EXPECT_EQ(quantize_multiplier(0x1p-32), (QuantizedMultiplier{1 << 30, -31}));
  EXPECT_EQ(quantize_multiplier(0x1p-33), (QuantizedMultiplier{0, 0}));
  EXPECT_EQ(quantize_multiplier(0x1p40), (QuantizedMultiplier{INT32_MAX, 30}));
}

TEST(Requantize, FixedSingleRoundsTheExactProductHalfUp) {
  std::mt19937 random(2);
  __extension__ using Wide = __int128;
  for (int i = 0; i < 200000; ++i) {
    const int64_t acc = i < 13 ? kEdges[static_cast<size_t>(i)] : any_int32(random);
    const QuantizedMultiplier m{static_cast<int32_t>((1u << 30) + random() % (1u << 30)),
                                static_cast<int>(random() % 62) - 31};
    // floor(acc * mantissa / 2^s + 1/2), by a floor division of twice the numerator.
    const Wide numerator = static_cast<Wide>(acc) * m.mantissa * 2 + (Wide{1} << (31 - m.shift));
    const Wide denominator = Wide{1} << (32 - m.shift);
    Wide expected = numerator / denominator;
    if (numerator % denominator < 0) --expected;
    ASSERT_EQ(requantize_fixed_single(acc, m), static_cast<int64_t>(expected))
        << acc << " " << m.mantissa << " " << m.shift;
  }
}

TEST(Requantize, HighMultiplyIsThePublishedOne) {
  std::mt19937 random(3);
  for (int32_t a : kEdges) {
    for (int32_t b : kEdges)
      EXPECT_EQ(doubling_high_multiply(a, b), published_high_multiply(a, b)) << a << " " << b;
  }
  for (int i = 0; i < 200000; ++i) {
    const int32_t a = any_int32(random), b = any_int32(random);
    ASSERT_EQ(doubling_high_multiply(a, b), published_high_multiply(a, b)) << a << " " << b;
  }
}

TEST(Requantize, RoundingDivideRoundsHalfAwayFromZero) {
  for (int exponent : {0, 1, 2, 5, 20, 31}) {
    for (int64_t x : {0, 1, 2, 3, 15, 16, 17, 48, 1 << 19, 1 << 20, INT32_MAX}) {
      for (int64_t sign : {-1, 1}) {
        const double exact = std::ldexp(static_cast<double>(sign * x), -exponent);
        EXPECT_EQ(rounding_divide_by_power(static_cast<int32_t>(sign * x), exponent), std::round(exact))
            << sign * x << " / 2^" << exponent;
      }
    }
  }
}

TEST(Requantize, SingleAndDoubleRoundingDifferWhereTheFirstRoundingMakesATie) {
  // 0.75 * 2^-1: 1 * 0.75 rounds to 1, and 1 / 2 away from zero to 1; in one rounding 0.375 is 0.
  const QuantizedMultiplier m{3 << 29, -1};
  EXPECT_EQ(requantize_fixed_double(1, m), 1);
  EXPECT_EQ(requantize_fixed_single(1, m), 0);
}

TEST(Requantize, Int16FormUsesTheUpperHalfOfTheMantissa) {
  EXPECT_EQ(reduced_mantissa(1 << 30), 1 << 14);
  EXPECT_EQ(reduced_mantissa(0x40007fff), 1 << 14);
  EXPECT_EQ(reduced_mantissa(0x40008000), (1 << 14) + 1);
  EXPECT_EQ(reduced_mantissa(INT32_MAX), 0x7fff);
  EXPECT_EQ(requantize_fixed_int16(int64_t{1} << 40, {1 << 30, -20}), 1 << 19);
  EXPECT_EQ(requantize_fixed_int16(3, {1 << 30, 0}), 2) << "1.5 goes up";
  EXPECT_EQ(requantize_fixed_int16(-3, {1 << 30, 0}), -1) << "-1.5 goes up";
}

TEST(Requantize, FloatFormRoundsTheFloatProductHalfToEven) {
  EXPECT_EQ(requantize_float_half_even(5, 0.5f), 2);
  EXPECT_EQ(requantize_float_half_even(7, 0.5f), 4);
  EXPECT_EQ(requantize_float_half_even(-5, 0.5f), -2);
  EXPECT_EQ(requantize_float_half_even(16777217, 1.0f), 16777216) << "the accumulator becomes a float first";
  std::mt19937 random(4);
  for (int i = 0; i < 100000; ++i) {
    const int32_t acc = any_int32(random);
    const float scale = std::ldexp(1.0f + static_cast<float>(random()) * 0x1p-32f, -static_cast<int>(random() % 24));
    ASSERT_EQ(requantize_float_half_even(acc, scale),
              static_cast<int64_t>(std::nearbyint(static_cast<float>(acc) * scale)))
        << acc << " " << scale;
  }
}

TEST(Requantize, WholeFormAddsTheZeroPointAndSaturates) {
  Requantization r{RequantizeRounding::kFixedSingle, quantize_multiplier(0.5), 0, 10, -128, 127};
  EXPECT_EQ(r(4), 12);
  EXPECT_EQ(r(1000), 127);
  EXPECT_EQ(r(-1000), -128);
  r.lo = r.zero_point;  // a fused relu
  EXPECT_EQ(r(-4), 10);
}

}  // namespace
}  // namespace qlathe
