#include "frontend/numerics/brevitas_arith.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace qlathe::brevitas {
namespace {

TEST(BrevitasRounding, ModesDifferOnHalves) {
  const float halves[] = {-2.5f, -1.5f, -0.5f, 0.5f, 1.5f, 2.5f};
  const std::pair<RoundMode, std::vector<float>> wanted[] = {
      {RoundMode::kRound, {-2, -2, -0.0f, 0, 2, 2}}, {RoundMode::kFloor, {-3, -2, -1, 0, 1, 2}},
      {RoundMode::kCeil, {-2, -1, -0.0f, 1, 2, 3}},  {RoundMode::kRoundToZero, {-2, -1, -0.0f, 0, 1, 2}},
      {RoundMode::kDpu, {-2, -1, -0.0f, 0, 2, 2}},
  };
  for (const auto& [mode, expected] : wanted)
    for (size_t i = 0; i < expected.size(); i++)
      EXPECT_EQ(round_value(mode, halves[i]), expected[i]) << "mode " << static_cast<int>(mode) << " of " << halves[i];
}

TEST(BrevitasRounding, DpuRoundsToNearestAwayFromHalves) {
  EXPECT_EQ(round_value(RoundMode::kDpu, -1.75f), -2.0f);
  EXPECT_EQ(round_value(RoundMode::kDpu, -1.25f), -1.0f);
}

TEST(BrevitasRange, NarrowRangesLoseOneValue) {
  Quantizer q;
  q.bit_width = 4;
  EXPECT_EQ(q.min_int(), -8);
  EXPECT_EQ(q.max_int(), 7);
  q.narrow_range = true;
  EXPECT_EQ(q.min_int(), -7);
  q.is_signed = false;
  EXPECT_EQ(q.min_int(), 0);
  EXPECT_EQ(q.max_int(), 14);
}

TEST(BrevitasScale, PowersOfTwoRoundUpAndExactOnesStay) {
  EXPECT_EQ(restrict_value(Restrict::kPowerOfTwoCeil, 0.26f), 0.5f);
  EXPECT_EQ(restrict_value(Restrict::kPowerOfTwoFloor, 0.49f), 0.25f);
  for (int e = -126; e < 128; e++) {
    const float power = std::ldexp(1.0f, e);
    EXPECT_EQ(restrict_value(Restrict::kPowerOfTwoCeil, power), power);
    EXPECT_EQ(restrict_value(Restrict::kPowerOfTwoFloor, power), power);
  }
}

TEST(BrevitasScale, LogarithmIsRoundedBeforeItsExponentIsTaken) {
  // log2 of the float below 2^40 is 40 in float32, so even rounding down gives 2^40.
  const float below = std::nextafter(std::ldexp(1.0f, 40), 0.0f);
  EXPECT_EQ(restrict_value(Restrict::kPowerOfTwoFloor, below), std::ldexp(1.0f, 40));
}

TEST(BrevitasScale, StatisticHasALowerBound) {
  Quantizer q;
  q.narrow_range = true;
  EXPECT_EQ(parameter_scale(q, 0.0f), 1e-10f / 127.0f);
  EXPECT_EQ(clamp_min_signed(-1e-20f, 1e-10), -1e-10f);
}

TEST(BrevitasSum, AddsEveryElementOnce) {
  for (size_t n : {1, 3, 7, 8, 9, 31, 32, 33, 240, 1000, 5000, 40000}) {
    std::vector<float> x(n);
    std::iota(x.begin(), x.end(), 1.0f);
    for (float& v : x)
      v = std::fmod(v, 13.0f);
    const float exact = std::accumulate(x.begin(), x.end(), 0.0f);  // integers below 2^24: no rounding
    EXPECT_EQ(cascade_sum(x), exact) << n;
    EXPECT_EQ(cascade_row_sum(x), exact) << n;
    EXPECT_EQ(cascade_column_sum(x), exact) << n;
  }
}

TEST(BrevitasSum, OrderIsEightLanesAfterTheRest) {
  // 9 elements: the ninth is added first, then lanes 0 to 7, so that the large pair cancels before 1 is added.
  const std::vector<float> x = {1e8f, -1e8f, 1, 0, 0, 0, 0, 0, 1};
  EXPECT_EQ(cascade_sum(x), 1.0f);  // (1 + 1e8) loses its 1, then - 1e8, then + 1
}

TEST(BrevitasPercentile, CountsFromTheSmallest) {
  EXPECT_EQ(high_percentile_k(99.999, 120), 120);
  EXPECT_EQ(high_percentile_k(99.999, 1000000), 999990);
  EXPECT_EQ(low_percentile_k(0.001, 120), 1);
  EXPECT_EQ(low_percentile_k(0.001, 1000000), 10);
  EXPECT_EQ(kth_smallest(std::vector<float>{3, 1, 2}, 2), 2.0f);
}

TEST(BrevitasMinifloat, RoundsToItsMantissaAndSaturates) {
  Quantizer q;
  q.number = Number::kMinifloat;
  q.format = {4, 3, 7, 448.0f};
  EXPECT_EQ(quantize_value(q, 1.0625f, 1.0f, 0.0f).q, 1.0f);  // a tie between 1 and 1.125: to even
  EXPECT_EQ(quantize_value(q, 1.1f, 1.0f, 0.0f).q, 1.125f);
  EXPECT_EQ(quantize_value(q, 1000.0f, 1.0f, 0.0f).q, 448.0f);
  EXPECT_EQ(quantize_value(q, std::ldexp(1.4f, -9), 1.0f, 0.0f).q, std::ldexp(1.0f, -9));  // subnormal unit
  EXPECT_EQ(integer_view(q, -104.0f, 1.0f, 0.0f), -13.0f);
}

TEST(BrevitasZeroPoint, StaysInsideTheRange) {
  Quantizer q;
  q.is_signed = false;
  EXPECT_EQ(zero_point_of(q, 1.0f, 0.25f), 4.0f);
  EXPECT_EQ(zero_point_of(q, 1000.0f, 0.25f), 255.0f);
  q.quantize_zero_point = false;
  EXPECT_EQ(zero_point_of(q, 0.3f, 0.25f), 0.3f / 0.25f);
}

}  // namespace
}  // namespace qlathe::brevitas
