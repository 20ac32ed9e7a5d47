#include "frontend/ops/reduction.h"

#include <cmath>
#include <limits>

#include "tests/ops/op_runner.h"
#include "tests/support/compare.h"
#include "tests/support/random_tensor.h"

namespace qlathe::testing {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<const OpAttrs> reduce(ReduceKind kind, std::vector<int64_t> axes, bool keep = false) {
  ReduceAttrs attrs;
  attrs.kind = kind;
  attrs.axes = std::move(axes);
  attrs.keep_dims = keep;
  return share(attrs);
}

TEST(Reduce, KindsOfFloats) {
  const HostTensor x = f32({2, 3}, {1, -2, 3, -4, 5, -6});
  EXPECT_TRUE(same_bits(run_op("reduce", reduce(ReduceKind::kSum, {1}), {x}), f32({2}, {2, -5})));
  EXPECT_TRUE(same_bits(run_op("reduce", reduce(ReduceKind::kMax, {0}), {x}), f32({3}, {1, 5, 3})));
  EXPECT_TRUE(same_bits(run_op("reduce", reduce(ReduceKind::kMin, {0, 1}), {x}), f32({}, {-6})));
  EXPECT_TRUE(same_bits(run_op("reduce", reduce(ReduceKind::kAbsMax, {1}, true), {x}), f32({2, 1}, {3, 6})));
  EXPECT_TRUE(same_bits(run_op("reduce", reduce(ReduceKind::kSumSquares, {1}), {x}), f32({2}, {14, 77})));
  EXPECT_TRUE(same_bits(run_op("reduce", reduce(ReduceKind::kProduct, {1}), {x}), f32({2}, {-6, 120})));
  EXPECT_TRUE(same_bits(run_op("reduce", reduce(ReduceKind::kSum, {}), {x}), x));
}

TEST(Reduce, IntegersSumIntoInt32AndKeepTheirTypeInMax) {
  EXPECT_TRUE(same_bits(run_op("reduce", reduce(ReduceKind::kSum, {0}), {i8({3}, {127, 127, 1})}), i32({}, {255})));
  EXPECT_TRUE(same_bits(run_op("reduce", reduce(ReduceKind::kMax, {0}), {i8({3}, {-5, -3, -9})}), i8({}, {-3})));
  EXPECT_TRUE(
      same_bits(run_op("reduce", reduce(ReduceKind::kSum, {0}), {i32({2}, {INT32_MAX, 1})}), i32({}, {INT32_MIN})));
  EXPECT_TRUE(
      same_bits(run_op("reduce", reduce(ReduceKind::kAbsMax, {0}), {i32({2}, {INT32_MIN, 1})}), i32({}, {INT32_MIN})));
}

TEST(Reduce, SumsHaveTheirStatedOrder) {
  // 1e8 swallows ones added one by one; sixteen partial sums keep most of them.
  std::vector<float> values(33, 1.f);
  values[0] = 1e8f;
  ReduceAttrs attrs;
  attrs.axes = {0};
  EXPECT_TRUE(same_bits(run_op("reduce", share(attrs), {f32({33}, values)}), f32({}, {1e8f})));
  attrs.sum_order = SumOrder::kInterleaved16;
  // Partial 0 is 1e8 + 1 + 1 = 1e8, the others 2 each: 30 in all, joined as 1e8 + 2 = 1e8, then + 4, + 8 + 16.
  EXPECT_TRUE(same_bits(run_op("reduce", share(attrs), {f32({33}, values)}), f32({}, {1e8f + 24.f})));
}

TEST(Reduce, EmptySumsAreZeroAndEmptyMaximaAreRefused) {
  EXPECT_TRUE(same_bits(run_op("reduce", reduce(ReduceKind::kSum, {1}), {f32({2, 0}, {})}), f32({2}, {0, 0})));
  EXPECT_THAT(error_of("reduce", reduce(ReduceKind::kMax, {1}), {f32({2, 0}, {})}), HasSubstr("no max or min"));
  EXPECT_THAT(error_of("reduce", reduce(ReduceKind::kSum, {1, 0}), {f32({2, 0}, {})}), HasSubstr("not ascending"));
}

PoolAttrs pool(PoolKind kind, std::vector<Window> windows, std::vector<int64_t> lo = {}, std::vector<int64_t> hi = {}) {
  PoolAttrs attrs;
  attrs.kind = kind;
  attrs.windows = std::move(windows);
  attrs.pad_lo = std::move(lo);
  attrs.pad_hi = std::move(hi);
  return attrs;
}

TEST(Pool, MaxIgnoresPaddingAndSumAddsNothingForIt) {
  const HostTensor x = i8({1, 3, 2}, {-1, 1, -2, 2, -3, 3});
  EXPECT_TRUE(same_bits(run_op("pool", share(pool(PoolKind::kMax, {{2, 1, 1}}, {1}, {0})), {x}),
                        i8({1, 3, 2}, {-1, 1, -1, 2, -2, 3})));
  EXPECT_TRUE(same_bits(run_op("pool", share(pool(PoolKind::kSum, {{2, 2, 1}}, {1}, {0})), {x}),
                        i32({1, 2, 2}, {-1, 1, -5, 5})));
}

TEST(Pool, AverageIsASumAndAStep) {
  PoolAttrs attrs = pool(PoolKind::kSum, {{2, 2, 1}, {2, 2, 1}});
  attrs.steps = {step("mul", {1})};
  EXPECT_TRUE(same_bits(run_op("pool", share(attrs), {f32({1, 2, 4, 1}, {1, 2, 3, 4, 5, 6, 7, 8}), f32({}, {0.25f})}),
                        f32({1, 1, 2, 1}, {3.5f, 5.5f})));
}

TEST(Pool, RefusesMaximaOfPaddingAlone) {
  const HostTensor x = i8({1, 3, 1}, {1, 2, 3});
  EXPECT_THAT(error_of("pool", share(pool(PoolKind::kMax, {{2, 1, 1}}, {2}, {0})), {x}),
              HasSubstr("wholly in the padding"));
  EXPECT_THAT(error_of("pool", share(pool(PoolKind::kMax, {{2, 1, 1}}, {0}, {2})), {x}),
              HasSubstr("wholly in the padding"));
  // Taps at -1 and 3 of an axis of three elements.
  EXPECT_THAT(error_of("pool", share(pool(PoolKind::kMax, {{2, 1, 4}}, {1}, {1})), {x}),
              HasSubstr("wholly in the padding"));
  EXPECT_EQ(run_op("pool", share(pool(PoolKind::kSum, {{2, 1, 1}}, {2}, {0})), {x}).int_at(0), 0);
  EXPECT_THAT(error_of("pool", share(pool(PoolKind::kMax, {{2, 1, 1}}, {-1}, {0})), {x}), HasSubstr("n: pad_lo"));
}

TEST(Softmax, RowsSumToOneAndLogAgrees) {
  Random random(3);
  const HostTensor x = random_tensor(random, ValueType::kF32, {4, 37}, 5.f);
  const HostTensor y = run_op("softmax", share(SoftmaxAttrs{}), {x});
  SoftmaxAttrs log;
  log.log = true;
  const HostTensor z = run_op("softmax", share(log), {x});
  for (int64_t row = 0; row < 4; row++) {
    double sum = 0, denominator = 0;
    for (int64_t i = 0; i < 37; i++)
      denominator += std::exp(real_at(x, row * 37 + i));
    for (int64_t i = row * 37; i < row * 37 + 37; i++) {
      sum += real_at(y, i);
      EXPECT_NEAR(real_at(y, i), std::exp(real_at(x, i)) / denominator, 1e-6);
      EXPECT_NEAR(real_at(z, i), real_at(x, i) - std::log(denominator), 3e-6);
    }
    EXPECT_NEAR(sum, 1, 1e-6);
  }
}

TEST(Softmax, IsUntouchedByAShiftAndByLargeValues) {
  const HostTensor a = run_op("softmax", share(SoftmaxAttrs{}), {f32({3}, {1, 2, 3})});
  EXPECT_TRUE(same_bits(run_op("softmax", share(SoftmaxAttrs{}), {f32({3}, {1001, 1002, 1003})}), a));
}

TEST(Softmax, OfIntegersIsThatOfTheirRealNumbers) {
  SoftmaxAttrs attrs;
  PointwiseStep dequantize;
  dequantize.op = "dequantize";
  dequantize.operands = {1, 2};
  attrs.before = {dequantize};
  const HostTensor y = run_op("softmax", share(attrs), {i8({3}, {5, 3, -1}), f32({}, {0.5f}), i8({}, {1})});
  EXPECT_TRUE(same_bits(y, run_op("softmax", share(SoftmaxAttrs{}), {f32({3}, {2, 1, -1})})));
}

TEST(Softmax, RefusesIntegersAndScalars) {
  EXPECT_THAT(error_of("softmax", share(SoftmaxAttrs{}), {i8({2}, {0, 0})}), HasSubstr("dequantize it first"));
  EXPECT_THAT(error_of("softmax", share(SoftmaxAttrs{}), {f32({}, {0})}), HasSubstr("n: x"));
}

TEST(LayerNorm, NormalizesTheLastAxes) {
  Random random(4);
  const HostTensor x = random_tensor(random, ValueType::kF32, {3, 4, 5}, 3.f);
  const HostTensor gamma = random_tensor(random, ValueType::kF32, {4, 5}),
                   beta = random_tensor(random, ValueType::kF32, {4, 5});
  for (bool rms : {false, true}) {
    LayerNormAttrs attrs;
    attrs.axes = 2;
    attrs.rms = rms;
    const HostTensor y = run_op("layer_norm", share(attrs), {x, gamma, beta});
    for (int64_t row = 0; row < 3; row++) {
      double mean = 0, var = 0;
      for (int64_t i = 0; i < 20 && !rms; i++)
        mean += real_at(x, row * 20 + i) / 20;
      for (int64_t i = 0; i < 20; i++)
        var += std::pow(real_at(x, row * 20 + i) - mean, 2) / 20;
      for (int64_t i = 0; i < 20; i++) {
        const double expected =
            (real_at(x, row * 20 + i) - mean) / std::sqrt(var + 1e-5) * real_at(gamma, i) + real_at(beta, i);
        EXPECT_NEAR(real_at(y, row * 20 + i), expected, 1e-5);
      }
    }
  }
}

TEST(LayerNorm, RefusesOtherShapesOfGamma) {
  EXPECT_THAT(error_of("layer_norm", share(LayerNormAttrs{}), {f32({2, 2}, {0, 0, 0, 0}), f32({1}, {0})}),
              HasSubstr("n: gamma: is float32[1], expected a float of shape 2"));
  LayerNormAttrs deep;
  deep.axes = 3;
  EXPECT_THAT(error_of("layer_norm", share(deep), {f32({2, 2}, {0, 0, 0, 0})}), HasSubstr("n: axes: is 3"));
}

}  // namespace
}  // namespace qlathe::testing
