// The steps of integer networks: values computed by hand, ends of the ranges, what is refused.
#include <cmath>

#include "frontend/numerics/requantize.h"
#include "tests/ops/op_runner.h"
#include "tests/support/compare.h"

namespace qlathe::testing {
namespace {

using ::testing::HasSubstr;

HostTensor i16(Shape shape, const std::vector<int16_t>& values) {
  return HostTensor::of<int16_t>(ValueType::kI16, std::move(shape), values);
}

HostTensor apply(const PointwiseStep& s, const HostTensor& x, const Operands& operands = {}) {
  Operands all{x};
  all.insert(all.end(), operands.begin(), operands.end());
  return run_op("pointwise", chain({s}), all);
}

PointwiseStep i32_step(const char* op, std::vector<int64_t> operands) {
  return step(op, std::move(operands), ValueType::kI32);
}

TEST(FixedPointSteps, OperandsAreCenteredShiftedAndScaled) {
  // (-3 - 1) * 2^20 * 1/4 = -2^20.
  PointwiseStep add = i32_step("add_requantized", {1, 2, 3, 4}), sub = i32_step("sub_requantized", {1, 2, 3, 4});
  add.shift_left = sub.shift_left = 20;
  const Operands operands{i8({}, {-3}), i32({}, {1 << 30}), i8({}, {-1}), i8({}, {1})};
  for (RequantizeMode mode : {RequantizeMode::kFixedSingle, RequantizeMode::kFixedDouble}) {
    add.mode = sub.mode = mode;
    sub.swapped = false;
    EXPECT_TRUE(same_bits(apply(add, i32({1}, {100}), operands), i32({1}, {100 - (1 << 20)})));
    EXPECT_TRUE(same_bits(apply(sub, i32({1}, {100}), operands), i32({1}, {100 + (1 << 20)})));
    sub.swapped = true;
    EXPECT_TRUE(same_bits(apply(sub, i32({1}, {100}), operands), i32({1}, {-100 - (1 << 20)})));
  }
}

TEST(FixedPointSteps, OneAndTwoRoundingsDifferWhereTheFirstMakesATie) {
  // b / 4: 1 -> 0.25, -2 -> -0.5, -3 -> -0.75.
  PointwiseStep s = i32_step("add_requantized", {1, 2, 3});
  const HostTensor zero = i32({3}, {0, 0, 0}), b = i16({3}, {1, -2, -3});
  const Operands operands{b, i32({}, {1 << 30}), i8({}, {-1})};
  EXPECT_TRUE(same_bits(apply(s, zero, operands), i32({3}, {0, 0, -1})));
  s.mode = RequantizeMode::kFixedDouble;
  EXPECT_TRUE(same_bits(apply(s, zero, operands), i32({3}, {1, -1, -1})));
}

TEST(FixedPointSteps, SumsAndProductsWrapIn32Bits) {
  PointwiseStep s = i32_step("add_requantized", {1, 2, 3});
  const Operands one{u8({}, {1}), i32({}, {1 << 30}), i32({}, {1})};
  EXPECT_TRUE(same_bits(apply(s, i32({1}, {INT32_MAX}), one), i32({1}, {INT32_MIN})));
  EXPECT_TRUE(same_bits(apply(i32_step("mul_centered", {1, 2}), i32({2}, {3, -3}), {u8({}, {200}), u8({}, {128})}),
                        i32({2}, {216, -216})));
  EXPECT_TRUE(same_bits(apply(i32_step("mul_centered", {1, 2}), i32({1}, {1 << 30}), {i8({}, {-128}), i8({}, {127})}),
                        i32({1}, {1 << 30})));
}

TEST(FixedPointSteps, HostileMultipliersAndShiftsAreDefined) {
  for (RequantizeMode mode : {RequantizeMode::kFixedSingle, RequantizeMode::kFixedDouble}) {
    PointwiseStep s = i32_step("sub_requantized", {1, 2, 3, 4});
    s.mode = mode;
    s.shift_left = 30;
    for (int32_t multiplier : {INT32_MIN, -1, 0, INT32_MAX}) {
      for (int32_t shift : {INT32_MIN, -40, 31, INT32_MAX}) {
        // The operand is its zero point: nothing is subtracted.
        EXPECT_TRUE(
            same_bits(apply(s, i32({1}, {7}),
                            {i16({}, {INT16_MIN}), i32({}, {multiplier}), i32({}, {shift}), i16({}, {INT16_MIN})}),
                      i32({1}, {7})));
      }
    }
  }
}

TEST(FixedPointSteps, RequantizeGivesWideIntegers) {
  const HostTensor x = i32({4}, {INT32_MIN, -3, 3, INT32_MAX});
  for (RequantizeMode mode : {RequantizeMode::kFixedSingle, RequantizeMode::kFixedDouble}) {
    PointwiseStep s = i32_step("requantize", {1, 2});
    s.mode = mode;
    // Times 1/2: half up once, or up and then no shift at all.
    EXPECT_TRUE(same_bits(apply(s, x, {i32({}, {1 << 30}), i8({}, {0})}), i32({4}, {-(1 << 30), -1, 2, 1 << 30})));
    // Times 1.
    const HostTensor same = apply(s, x, {i32({}, {1 << 30}), i8({}, {1})});
    EXPECT_EQ(same.int_at(1), -3);
    // The left shift of the double form wraps before its product.
    EXPECT_EQ(same.int_at(3), mode == RequantizeMode::kFixedSingle ? INT32_MAX : -1);
    s.type = ValueType::kI16;
    EXPECT_TRUE(same_bits(apply(s, x,
                                {
                                    i32({}, {1 << 30}),
                                    i8({}, {0}),
                                }),
                          i16({4}, {INT16_MIN, -1, 2, INT16_MAX})));
  }
}

TEST(FixedPointSteps, ShiftsRoundAsStated) {
  const HostTensor x = i32({6}, {5, -5, 6, -6, INT32_MAX, INT32_MIN});
  PointwiseStep s = i32_step("shift_right", {});
  s.shift_right = 2;
  s.rounding = Rounding::kHalfUp;
  EXPECT_TRUE(same_bits(apply(s, x), i32({6}, {1, -1, 2, -1, 1 << 29, -(1 << 29)})));
  s.rounding = Rounding::kHalfAwayFromZero;
  EXPECT_TRUE(same_bits(apply(s, x), i32({6}, {1, -1, 2, -2, 1 << 29, -(1 << 29)})));
  s.rounding = Rounding::kFloor;
  EXPECT_TRUE(same_bits(apply(s, x), i32({6}, {1, -2, 1, -2, (1 << 29) - 1, -(1 << 29)})));
  s.shift_right = 31;
  EXPECT_TRUE(same_bits(apply(s, x), i32({6}, {0, -1, 0, -1, 0, -1})));
  s.rounding = Rounding::kHalfUp;
  EXPECT_TRUE(same_bits(apply(s, x), i32({6}, {0, 0, 0, 0, 1, -1})));
  s.shift_right = 0;
  EXPECT_TRUE(same_bits(apply(s, x), x));
}

TEST(FixedPointSteps, FixedFunctionsAreCloseToTheRealOnes) {
  HostTensor all(ValueType::kI16, {65536});
  for (int64_t i = 0; i < 65536; i++)
    all.set_int(i, i - 32768);
  for (int64_t bits = 0; bits <= 6; bits++) {
    PointwiseStep logistic = step("fixed_logistic", {}, ValueType::kI16),
                  tanh = step("fixed_tanh", {}, ValueType::kI16);
    logistic.integer_bits = tanh.integer_bits = bits;
    const HostTensor l = apply(logistic, all), t = apply(tanh, all);
    EXPECT_EQ(l.int_at(32768), 16384);
    EXPECT_EQ(t.int_at(32768), 0);
    double worst_l = 0, worst_t = 0;
    for (int64_t i = 0; i < 65536; i++) {
      const double x = std::ldexp(static_cast<double>(i - 32768), static_cast<int>(bits) - 15);
      worst_l = std::max(worst_l, std::fabs(static_cast<double>(l.int_at(i)) - 32768 / (1 + std::exp(-x))));
      worst_t = std::max(worst_t, std::fabs(static_cast<double>(t.int_at(i)) - 32768 * std::tanh(x)));
    }
    EXPECT_LT(worst_l, 8) << bits;
    EXPECT_LT(worst_t, 16) << bits;
  }
}

TEST(FixedPointSteps, TablesAreInterpolated) {
  std::vector<int16_t> table(513);
  for (size_t i = 0; i < table.size(); i++)
    table[i] = static_cast<int16_t>(i * 10);
  const PointwiseStep s = step("interpolated_lookup", {1}, ValueType::kI16);
  // 10 * 127 / 128 = 9.92, 10 * 64 / 128 = 5, 10 * 6 / 128 = 0.47, 10 * 7 / 128 = 0.55
  const HostTensor x = i16({6}, {-32768, -32641, 64, 6, 7, 32767});
  EXPECT_TRUE(same_bits(apply(s, x, {i16({513}, table)}), i16({6}, {0, 10, 2565, 2560, 2561, 5120})));
  // Differences and sums wrap.
  table[256] = INT16_MIN, table[257] = INT16_MAX;
  EXPECT_TRUE(same_bits(apply(s, i16({2}, {64, 127}), {i16({513}, table)}), i16({2}, {INT16_MIN, INT16_MAX})));
}

TEST(FixedPointSteps, LookupsGiveTheTypeOfTheirTable) {
  std::vector<int32_t> wide(256);
  for (size_t i = 0; i < 256; i++)
    wide[i] = static_cast<int32_t>(i) * 8000000;
  EXPECT_TRUE(same_bits(apply(step("lookup", {1}, ValueType::kI32), i8({2}, {-128, 1}), {i32({256}, wide)}),
                        i32({2}, {0, 1032000000})));
  EXPECT_TRUE(same_bits(
      apply(step("lookup", {1}, ValueType::kI16), u8({1}, {255}), {i16({256}, std::vector<int16_t>(256, -7))}),
      i16({1}, {-7})));
}

TEST(FixedPointSteps, RefusesWhatAStepDoesNotTake) {
  const HostTensor x = i32({1}, {0}), narrow = i8({1}, {0}), wide = i32({}, {0});
  const auto error = [&](const PointwiseStep& s, const Operands& operands) {
    return error_of("pointwise", chain({s}), operands);
  };
  EXPECT_THAT(error(i32_step("add_requantized", {1, 2, 3}), {narrow, narrow, wide, wide}), HasSubstr("takes int32"));
  EXPECT_THAT(error(i32_step("add_requantized", {1, 2, 3}), {x, wide, wide, wide}), HasSubstr("at most 16 bits"));
  EXPECT_THAT(error(i32_step("add_requantized", {1, 2, 3}), {x, narrow, narrow, wide}), HasSubstr("int32 multipliers"));
  EXPECT_THAT(error(i32_step("mul_centered", {1}), {x, f32({}, {1})}), HasSubstr("at most 16 bits"));
  PointwiseStep s = i32_step("add_requantized", {1, 2, 3});
  s.shift_left = 31;
  EXPECT_THAT(error(s, {x, narrow, wide, wide}), HasSubstr("has shift_left 31, outside 0 to 30"));
  EXPECT_THAT(error(i32_step("shift_right", {}), {x}), HasSubstr("not half_even"));
  s = i32_step("shift_right", {});
  s.rounding = Rounding::kFloor;
  s.shift_right = 32;
  EXPECT_THAT(error(s, {x}), HasSubstr("outside 0 to 31"));
  s = step("fixed_tanh", {}, ValueType::kI16);
  s.integer_bits = 7;
  EXPECT_THAT(error(s, {i16({1}, {0})}), HasSubstr("outside 0 to 6"));
  EXPECT_THAT(error(step("fixed_tanh", {}, ValueType::kI16), {narrow}), HasSubstr("takes int16"));
  EXPECT_THAT(
      error(step("interpolated_lookup", {1}, ValueType::kI16), {i16({1}, {0}), i16({256}, std::vector<int16_t>(256))}),
      HasSubstr("a table has the shape 513, not 256"));
}

}  // namespace
}  // namespace qlathe::testing
