#include "frontend/numerics/accumulator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace qlathe {
namespace {

TEST(AccumulatorBounds, AreTheExtremesOverAllInputsAndSubsets) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<int8_t> w(4);
    for (auto& value : w)
      value = static_cast<int8_t>(random() % 256);
    const int64_t x_lo = static_cast<int64_t>(random() % 300) - 200, x_hi = x_lo + static_cast<int64_t>(random() % 200);
    const int64_t bias = static_cast<int64_t>(random() % 2001) - 1000, zero = static_cast<int64_t>(random() % 7) - 3;
    const AccumulatorBounds bounds = accumulator_bounds(w.data(), 4, 1, x_lo, x_hi, bias, zero);
    AccumulatorInterval all{INT64_MAX, INT64_MIN}, any{INT64_MAX, INT64_MIN};
    for (int corner = 0; corner < 16; ++corner) {
      for (int subset = 0; subset < 16; ++subset) {
        int64_t sum = bias;
        for (int i = 0; i < 4; ++i) {
          if (subset >> i & 1) sum += (w[static_cast<size_t>(i)] - zero) * (corner >> i & 1 ? x_hi : x_lo);
        }
        any = {std::min(any.lo, sum), std::max(any.hi, sum)};
        if (subset == 15) all = {std::min(all.lo, sum), std::max(all.hi, sum)};
      }
    }
    EXPECT_EQ(bounds.reachable, all);
    EXPECT_EQ(bounds.partial, any);
  }
}

TEST(AccumulatorBounds, Int32OverflowIsSeenInPartialSumsToo) {
  std::vector<int16_t> w(66000, 32767);
  EXPECT_TRUE(accumulator_bounds(w.data(), 1000, 1, 0, 65).fits_int32());
  EXPECT_FALSE(accumulator_bounds(w.data(), 66000, 1, 0, 1).fits_int32());
  // The whole sum is near 0, the first half alone overflows.
  std::fill(w.begin() + 33000, w.end(), static_cast<int16_t>(-32767));
  const AccumulatorBounds bounds = accumulator_bounds(w.data(), 66000, 1, 2, 2);
  EXPECT_EQ(bounds.reachable, (AccumulatorInterval{0, 0}));
  EXPECT_FALSE(bounds.fits_int32());
}

TEST(Pmaddubsw, IsExactWhenNoPairOfProductsSaturates) {
  for (int first = -128; first < 128; first += 3) {
    for (int second = -128; second < 128; second += 3) {
      const int8_t w[2] = {static_cast<int8_t>(first), static_cast<int8_t>(second)};
      for (int64_t x_hi : {127, 128, 255}) {
        bool exact = true;
        for (int64_t a : {int64_t{0}, x_hi}) {
          for (int64_t b : {int64_t{0}, x_hi}) {
            const int64_t sum = a * w[0] + b * w[1];
            exact = exact && sum >= INT16_MIN && sum <= INT16_MAX;
          }
        }
        EXPECT_EQ(pmaddubsw_is_exact(w, 2, 1, 0, x_hi), exact) << first << " " << second << " " << x_hi;
      }
    }
  }
}

TEST(Pmaddubsw, PairsAreTakenInPackingOrderAndAnOddWeightStandsAlone) {
  const int8_t w[5] = {127, -128, 127, -128, 127};
  EXPECT_TRUE(pmaddubsw_is_exact(w, 5, 1, 0, 255));
  EXPECT_FALSE(pmaddubsw_is_exact(w, 3, 2, 0, 255)) << "every second weight: 127 beside 127";
}

}  // namespace
}  // namespace qlathe
