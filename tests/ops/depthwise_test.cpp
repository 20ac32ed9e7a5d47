#include "frontend/ops/contraction.h"
#include "tests/ops/op_runner.h"
#include "tests/support/compare.h"
#include "tests/support/random_tensor.h"

namespace qlathe::testing {
namespace {

using ::testing::HasSubstr;

TEST(Depthwise, ChannelsStayApartAndMultiplyByM) {
  DepthwiseAttrs attrs;
  attrs.windows = {{2, 1, 1}};
  // lhs [1, 3, 2], rhs [2, 2, 2]: result channel c * 2 + m
  const HostTensor out = run_op("depthwise", share(attrs),
                                {i8({1, 3, 2}, {1, 10, 2, 20, 3, 30}), i8({2, 2, 2}, {1, 2, 3, 4, 1, 0, 1, 0})});
  EXPECT_TRUE(same_bits(out, i32({1, 2, 4}, {1 + 2, 2, 30 + 20, 40, 2 + 3, 4, 60 + 30, 80})));
}

TEST(Depthwise, AgreesWithAContractionOfOneChannelGroups) {
  Random random(5);
  const int64_t C = 5, M = 3;
  DepthwiseAttrs attrs;
  attrs.windows = {{3, 2, 1}, {2, 1, 2}};
  attrs.accumulator = ValueType::kF32;
  ContractionAttrs grouped;
  grouped.windows = attrs.windows;
  grouped.accumulator = ValueType::kF32;
  const HostTensor x = random_tensor(random, ValueType::kF32, {2, 7, 6, C});
  const HostTensor w = random_tensor(random, ValueType::kF32, {3, 2, C, M});
  HostTensor regrouped(ValueType::kF32, {1, C, M, 3, 2, 1});  // [B, G, N, k0, k1, K]
  for (int64_t t = 0; t < 6; t++) {
    for (int64_t cm = 0; cm < C * M; cm++)
      regrouped.as<float>()[static_cast<size_t>(cm * 6 + t)] = w.as<float>()[static_cast<size_t>(t * C * M + cm)];
  }
  const HostTensor out = run_op("depthwise", share(attrs), {x, w});
  const HostTensor same = run_op("contraction", share(grouped), {x.reshaped({1, 2, 7, 6, C, 1}), regrouped});
  EXPECT_TRUE(same_bits(out, same.reshaped(out.shape())));
}

TEST(Depthwise, ZeroPointsAndScalesPerResultChannel) {
  DepthwiseAttrs attrs;
  attrs.windows = {{1, 1, 1}};
  const HostTensor out = run_op("depthwise", share(attrs),
                                {u8({1, 1, 2}, {10, 20}), i8({1, 2, 1}, {3, 4}), i32({1, 1, 1}, {8}),
                                 i32({1, 1, 2}, {1, 2}), f32({1, 1, 1}, {0.5f}), f32({1, 1, 2}, {2, 4})});
  EXPECT_TRUE(same_bits(out, f32({1, 1, 2}, {(10 - 8) * (3 - 1) * 0.5f * 2, (20 - 8) * (4 - 2) * 0.5f * 4})));
}

TEST(Depthwise, RefusesWhatDoesNotFit) {
  DepthwiseAttrs attrs;
  attrs.windows = {{2, 1, 1}};
  EXPECT_THAT(error_of("depthwise", share(attrs),
                       {i8({1, 3, 2}, std::vector<int8_t>(6)), i8({2, 3, 1}, std::vector<int8_t>(6))}),
              HasSubstr("n: rhs: has 3 channels, lhs has 2"));
  EXPECT_THAT(error_of("depthwise", share(attrs), {i8({1, 1, 2}, {0, 0}), i8({2, 2, 1}, {0, 0, 0, 0})}),
              HasSubstr("a window covers 2 elements of an axis that has 1"));
}

}  // namespace
}  // namespace qlathe::testing
