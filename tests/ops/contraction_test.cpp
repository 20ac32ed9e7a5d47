#include "frontend/ops/contraction.h"

#include <cmath>

#include "tests/ops/op_runner.h"
#include "tests/support/compare.h"
#include "tests/support/random_tensor.h"

namespace qlathe::testing {
namespace {

using ::testing::HasSubstr;

ContractionAttrs dense(int64_t blocks = 1) {
  ContractionAttrs attrs;
  attrs.windows = {Window{}};
  attrs.blocks = blocks;
  return attrs;
}

/// lhs [M, K] and rhs [N, K] in canonical form.
HostTensor lhs_of(const HostTensor& x) { return x.reshaped({1, 1, x.shape()[0], 1, x.shape()[1]}); }
HostTensor rhs_of(const HostTensor& x) { return x.reshaped({1, 1, x.shape()[0], 1, x.shape()[1]}); }

TEST(Contraction, DenseIntegerProduct) {
  const HostTensor out = run_op("contraction", share(dense()),
                                {lhs_of(i8({2, 3}, {1, 2, 3, -4, 5, -6})), rhs_of(i8({2, 3}, {1, 1, 1, 7, 0, -2}))});
  EXPECT_TRUE(same_bits(out, i32({1, 1, 2, 1, 2}, {6, 1, -5, -16})));
}

TEST(Contraction, ZeroPointsOfBothSidesAreSubtractedFirst) {
  // (1-1, 2-1, 3-1) . (5-2, 6-2, 7-2) = 0 + 4 + 10
  const HostTensor out = run_op("contraction", share(dense()),
                                {lhs_of(u8({1, 3}, {1, 2, 3})), rhs_of(i8({1, 3}, {5, 6, 7})),
                                 i32({1, 1, 1, 1, 1, 1}, {1}), i32({1, 1, 1, 1, 1, 1}, {2})});
  EXPECT_TRUE(same_bits(out, i32({1, 1, 1, 1, 1}, {14})));
}

TEST(Contraction, Int32SumsWrap) {
  const HostTensor out =
      run_op("contraction", share(dense()), {lhs_of(i32({1, 2}, {INT32_MAX, INT32_MAX})), rhs_of(i32({1, 2}, {2, 2}))});
  EXPECT_TRUE(same_bits(out, i32({1, 1, 1, 1, 1}, {-4})));
}

TEST(Contraction, Int64SumsDoNotWrapAtInt32) {
  ContractionAttrs attrs = dense();
  attrs.accumulator = ValueType::kI64;
  const HostTensor out =
      run_op("contraction", share(attrs), {lhs_of(i32({1, 2}, {INT32_MAX, INT32_MAX})), rhs_of(i32({1, 2}, {2, 2}))});
  EXPECT_EQ(out.int_at(0), int64_t{INT32_MAX} * 4);
}

TEST(Contraction, ScalesMultiplyWithTwoRoundingsInTheStatedOrder) {
  const float ls = 0.1f, rs = 0.3f, acc = 7.f;
  for (ScaleOrder order : {ScaleOrder::kLhsFirst, ScaleOrder::kRhsFirst}) {
    ContractionAttrs attrs = dense();
    attrs.scale_order = order;
    const HostTensor out = run_op("contraction", share(attrs),
                                  {lhs_of(i8({1, 1}, {7})), rhs_of(i8({1, 1}, {1})), std::nullopt, std::nullopt,
                                   f32({1, 1, 1, 1, 1, 1}, {ls}), f32({1, 1, 1, 1, 1, 1}, {rs})});
    const float first = order == ScaleOrder::kLhsFirst ? acc * ls : acc * rs;
    EXPECT_TRUE(same_bits(out, f32({1, 1, 1, 1, 1}, {first * (order == ScaleOrder::kLhsFirst ? rs : ls)})));
  }
}

TEST(Contraction, BlocksHaveTheirOwnScalesAndZeroPoints) {
  // Two blocks of two: (1*1 + 2*1) * 10 + ((3-1)*1 + (4-1)*1) * 100 for column 0, times 0.5 per row.
  const HostTensor out = run_op(
      "contraction", share(dense(2)),
      {lhs_of(i8({1, 4}, {1, 2, 3, 4})), rhs_of(i8({2, 4}, {1, 1, 1, 1, 2, 2, 2, 2})), i32({2, 1, 1, 1, 1, 1}, {0, 1}),
       std::nullopt, f32({1, 1, 1, 1, 1, 1}, {0.5f}), f32({2, 1, 1, 1, 1, 2}, {10, 1, 100, 2})});
  EXPECT_TRUE(same_bits(out, f32({1, 1, 1, 1, 2}, {15 + 250, 3 + 10})));
}

TEST(Contraction, MultipliersOfBlocksAreIntegersToTheLastSum) {
  // Two blocks of two: (1 + 2) * 200 + (3 + 4) * 1 and (1 * 1 + 2 * 1) * 3 + (3 * 2 + 4 * 2) * 255.
  const HostTensor lhs = lhs_of(i8({1, 4}, {1, 2, 3, 4})), rhs = rhs_of(i8({2, 4}, {1, 1, 1, 1, 1, 1, 2, 2}));
  const HostTensor multiplier = u8({2, 1, 1, 1, 1, 2}, {200, 3, 1, 255});
  const Operands plain = {lhs, rhs, std::nullopt, std::nullopt, std::nullopt, multiplier};
  EXPECT_TRUE(same_bits(run_op("contraction", share(dense(2)), plain), i32({1, 1, 1, 1, 2}, {607, 3579})));
  // A scale beside them multiplies the sum, once.
  Operands scaled = plain;
  scaled[4] = f32({1, 1, 1, 1, 1, 1}, {0.1f});
  EXPECT_TRUE(
      same_bits(run_op("contraction", share(dense(2)), scaled), f32({1, 1, 1, 1, 2}, {607.0f * 0.1f, 3579.0f * 0.1f})));
  // Sums wrap in int32 and do not in int64.
  const HostTensor large = lhs_of(i32({1, 4}, {1 << 24, 0, 1 << 24, 0}));
  const Operands wrapping = {large, rhs, std::nullopt, std::nullopt, std::nullopt, multiplier};
  const int64_t exact = (int64_t{3} + 2 * 255) << 24;
  EXPECT_EQ(run_op("contraction", share(dense(2)), wrapping).int_at(1), static_cast<int32_t>(exact));
  ContractionAttrs wide = dense(2);
  wide.accumulator = ValueType::kI64;
  EXPECT_EQ(run_op("contraction", share(wide), wrapping).int_at(1), exact);
}

TEST(Contraction, MultipliersAreRefusedWhereSumsAreNoIntegersOrTwoOfThem) {
  const HostTensor lhs = lhs_of(i8({1, 4}, {1, 2, 3, 4})), rhs = rhs_of(i8({1, 4}, {1, 1, 1, 1}));
  const HostTensor multiplier = u8({2, 1, 1, 1, 1, 1}, {2, 3});
  ContractionAttrs real = dense(2);
  real.accumulator = ValueType::kF32;
  EXPECT_THAT(error_of("contraction", share(real), {lhs, rhs, std::nullopt, std::nullopt, std::nullopt, multiplier}),
              HasSubstr("n: rhs_scale: is uint8"));
  EXPECT_THAT(error_of("contraction", share(dense(2)), {lhs, rhs, std::nullopt, std::nullopt, multiplier, multiplier}),
              HasSubstr("n: rhs_scale: is uint8"));
  EXPECT_THAT(error_of("contraction", share(dense(2)),
                       {lhs, rhs, std::nullopt, std::nullopt, f32({2, 1, 1, 1, 1, 1}, {1, 2}), multiplier}),
              HasSubstr("n: lhs_scale: varies along the blocks"));
}

TEST(Contraction, FloatSumIsOneFusedMultiplyAddAfterTheOther) {
  Random random(2);
  const HostTensor a = random_tensor(random, ValueType::kF32, {3, 100});
  const HostTensor b = random_tensor(random, ValueType::kF32, {5, 100});
  ContractionAttrs attrs = dense();
  attrs.accumulator = ValueType::kF32;
  HostTensor expected(ValueType::kF32, {1, 1, 3, 1, 5});
  for (size_t m = 0; m < 3; m++) {
    for (size_t n = 0; n < 5; n++) {
      float sum = 0;
      for (size_t k = 0; k < 100; k++)
        sum = std::fma(a.as<float>()[m * 100 + k], b.as<float>()[n * 100 + k], sum);
      expected.as<float>()[m * 5 + n] = sum;
    }
  }
  EXPECT_TRUE(same_bits(run_op("contraction", share(attrs), {lhs_of(a), rhs_of(b)}), expected));
}

TEST(Contraction, InterleavedFloatSumHasSixteenPartialsAndATree) {
  Random random(3);
  const HostTensor a = random_tensor(random, ValueType::kF32, {2, 37});
  const HostTensor b = random_tensor(random, ValueType::kF32, {3, 37});
  ContractionAttrs attrs = dense();
  attrs.accumulator = ValueType::kF32;
  attrs.sum_order = SumOrder::kInterleaved16;
  HostTensor expected(ValueType::kF32, {1, 1, 2, 1, 3});
  for (size_t m = 0; m < 2; m++) {
    for (size_t n = 0; n < 3; n++) {
      float p[16] = {};
      for (size_t k = 0; k < 37; k++)
        p[k % 16] = std::fma(a.as<float>()[m * 37 + k], b.as<float>()[n * 37 + k], p[k % 16]);
      for (size_t half = 8; half > 0; half /= 2) {
        for (size_t i = 0; i < half; i++)
          p[i] = p[i] + p[i + half];
      }
      expected.as<float>()[m * 3 + n] = p[0];
    }
  }
  EXPECT_TRUE(same_bits(run_op("contraction", share(attrs), {lhs_of(a), rhs_of(b)}), expected));
}

/// Grouped, strided, dilated two-dimensional windows with several batches and images, against the definition.
TEST(Contraction, WindowsGroupsAndBatchesFollowTheDefinition) {
  Random random(4);
  const int64_t B = 2, I = 2, G = 3, K = 2, N = 4;
  ContractionAttrs attrs;
  attrs.windows = {{2, 2, 1}, {3, 1, 2}};
  const HostTensor lhs = random_tensor(random, ValueType::kI8, {B, I, 6, 9, G, K});
  const HostTensor rhs = random_tensor(random, ValueType::kI8, {B, G, N, 2, 3, K});
  const HostTensor lhs_zp = random_tensor(random, ValueType::kI8, {1, B, I, 3, 5, G, 1});
  const HostTensor rhs_zp = random_tensor(random, ValueType::kI8, {1, B, 1, 1, 1, G, N});
  const HostTensor out = run_op("contraction", share(attrs), {lhs, rhs, lhs_zp, rhs_zp});
  ASSERT_EQ(out.shape(), (Shape{B, I, 3, 5, G, N}));
  const auto at = [](const HostTensor& t, std::vector<int64_t> index) {
    int64_t flat = 0;
    for (size_t d = 0; d < index.size(); d++)
      flat = flat * t.shape()[d] + index[d];
    return t.int_at(flat);
  };
  HostTensor expected(ValueType::kI32, out.shape());
  int64_t i = 0;
  for (int64_t b = 0; b < B; b++)
    for (int64_t im = 0; im < I; im++)
      for (int64_t y = 0; y < 3; y++)
        for (int64_t x = 0; x < 5; x++)
          for (int64_t g = 0; g < G; g++)
            for (int64_t n = 0; n < N; n++) {
              int64_t sum = 0;
              for (int64_t ky = 0; ky < 2; ky++)
                for (int64_t kx = 0; kx < 3; kx++)
                  for (int64_t k = 0; k < K; k++)
                    sum += (at(lhs, {b, im, y * 2 + ky, x + 2 * kx, g, k}) - at(lhs_zp, {0, b, im, y, x, g, 0})) *
                           (at(rhs, {b, g, n, ky, kx, k}) - at(rhs_zp, {0, b, 0, 0, 0, g, n}));
              expected.set_int(i++, sum);
            }
  EXPECT_TRUE(same_bits(out, expected));
}

TEST(Contraction, CodesDecodeToFloat) {
  ContractionAttrs attrs = dense();
  attrs.accumulator = ValueType::kF32;
  // float4 codes 2 = 1, 5 = 3, 15 = -6
  const HostTensor w = HostTensor::of<uint8_t>(ValueType::kF4E2M1, {1, 3}, {2, 5, 15});
  EXPECT_TRUE(same_bits(run_op("contraction", share(attrs), {lhs_of(f32({1, 3}, {1, 10, 100})), rhs_of(w)}),
                        f32({1, 1, 1, 1, 1}, {1 + 30 - 600})));
}

TEST(Contraction, StepsRunOnTheSum) {
  ContractionAttrs attrs = dense();
  attrs.steps = {step("add", {6}, ValueType::kI32), step("relu", {}, ValueType::kI32)};
  const HostTensor out = run_op("contraction", share(attrs),
                                {lhs_of(i8({1, 1}, {3})), rhs_of(i8({2, 1}, {2, -2})), std::nullopt, std::nullopt,
                                 std::nullopt, std::nullopt, i32({2}, {10, 1})});
  EXPECT_TRUE(same_bits(out, i32({1, 1, 1, 1, 2}, {16, 0})));
}

TEST(Contraction, RefusesWhatDoesNotFit) {
  const HostTensor lhs = lhs_of(i8({2, 3}, {1, 2, 3, 4, 5, 6})), rhs = rhs_of(i8({1, 3}, {1, 1, 1}));
  EXPECT_THAT(error_of("contraction", share(dense()), {lhs, rhs_of(i8({1, 2}, {1, 1}))}), HasSubstr("must be equal"));
  EXPECT_THAT(error_of("contraction", share(dense()), {lhs.reshaped({2, 3}), rhs}), HasSubstr("n: lhs: has shape 2x3"));
  EXPECT_THAT(error_of("contraction", share(dense()), {f32({1, 1, 1, 1, 1}, {1}), rhs}),
              HasSubstr("is float32, which is not summed in int32"));
  EXPECT_THAT(error_of("contraction", share(dense(2)), {lhs, rhs}), HasSubstr("n: blocks"));
  EXPECT_THAT(error_of("contraction", share(dense()), {lhs, rhs, i32({1}, {0})}), HasSubstr("n: lhs_zero_point"));
  EXPECT_THAT(error_of("contraction", share(dense()), {lhs, rhs, std::nullopt, i32({1, 1, 1, 2, 1, 1}, {0, 0})}),
              HasSubstr("n: rhs_zero_point: has 2 values along axis 3"));
  ContractionAttrs wide = dense();
  wide.windows[0] = {INT64_MAX, 1, INT64_MAX};
  EXPECT_THAT(error_of("contraction", share(wide), {lhs, rhs}), HasSubstr("n: windows[0]"));
  ContractionAttrs lost = dense();
  lost.steps = {step("add", {0}, ValueType::kI32)};
  EXPECT_THAT(error_of("contraction", share(lost), {lhs, rhs}), HasSubstr("input 0 is not an operand of the steps"));
}

}  // namespace
}  // namespace qlathe::testing
