#include "frontend/ops/contraction.h"
#include "tests/ops/op_runner.h"
#include "tests/support/compare.h"
#include "tests/support/random_tensor.h"

namespace qlathe::testing {
namespace {

using ::testing::HasSubstr;

DotGeneralAttrs contracting(std::vector<int64_t> lhs, std::vector<int64_t> rhs) {
  DotGeneralAttrs attrs;
  attrs.lhs_contracting = std::move(lhs);
  attrs.rhs_contracting = std::move(rhs);
  attrs.accumulator = ValueType::kI32;
  return attrs;
}

TEST(DotGeneral, MatrixTimesMatrix) {
  const HostTensor out = run_op("dot_general", share(contracting({1}, {0})),
                                {i8({2, 3}, {1, 2, 3, 4, 5, 6}), i8({3, 2}, {1, 2, 3, 4, 5, 6})});
  EXPECT_TRUE(same_bits(out, i32({2, 2}, {22, 28, 49, 64})));
}

TEST(DotGeneral, ResultAxesAreBatchThenLhsThenRhsThenPermuted) {
  Random random(1);
  DotGeneralAttrs attrs = contracting({0}, {3});
  attrs.lhs_batch = {2};
  attrs.rhs_batch = {1};
  const HostTensor lhs = random_tensor(random, ValueType::kI8, {2, 3, 4});     // c m b
  const HostTensor rhs = random_tensor(random, ValueType::kI8, {5, 4, 6, 2});  // n0 b n1 c
  EXPECT_EQ(run_op("dot_general", share(attrs), {lhs, rhs}).shape(), (Shape{4, 3, 5, 6}));
  attrs.output_permutation = {3, 0, 2, 1};
  const HostTensor out = run_op("dot_general", share(attrs), {lhs, rhs});
  ASSERT_EQ(out.shape(), (Shape{6, 4, 5, 3}));
  const auto l = [&](int64_t c, int64_t m, int64_t b) { return lhs.int_at((c * 3 + m) * 4 + b); };
  const auto r = [&](int64_t n0, int64_t b, int64_t n1, int64_t c) {
    return rhs.int_at(((n0 * 4 + b) * 6 + n1) * 2 + c);
  };
  HostTensor expected(ValueType::kI32, out.shape());
  int64_t i = 0;
  for (int64_t n1 = 0; n1 < 6; n1++)
    for (int64_t b = 0; b < 4; b++)
      for (int64_t n0 = 0; n0 < 5; n0++)
        for (int64_t m = 0; m < 3; m++)
          expected.set_int(i++, l(0, m, b) * r(n0, b, n1, 0) + l(1, m, b) * r(n0, b, n1, 1));
  EXPECT_TRUE(same_bits(out, expected));
}

TEST(DotGeneral, ScalesOfATiledContractedAxisMultiplyPerTile) {
  // Tiles of two: (1*1 + 2*1) * 10 * 1 + (3*1 + 4*1) * 100 * 2
  const HostTensor out = run_op("dot_general", share(contracting({1}, {0})),
                                {i8({1, 4}, {1, 2, 3, 4}), i8({4, 1}, {1, 1, 1, 1}), std::nullopt, std::nullopt,
                                 f32({1, 2}, {10, 100}), f32({2, 1}, {1, 2})});
  EXPECT_TRUE(same_bits(out, f32({1, 1}, {30 + 1400})));
}

TEST(DotGeneral, MultipliersOfATiledContractedAxisMultiplyPerTile) {
  // Tiles of two: ((1 + 2) * 10 + (3 + 4) * 200) * 0.5
  const Operands operands = {i8({1, 4}, {1, 2, 3, 4}), i8({4, 1}, {1, 1, 1, 1}), std::nullopt, std::nullopt,
                             f32({1, 1}, {0.5f}),      u8({2, 1}, {10, 200})};
  EXPECT_TRUE(same_bits(run_op("dot_general", share(contracting({1}, {0})), operands), f32({1, 1}, {715})));
  Operands tiled = operands;
  tiled[4] = f32({1, 2}, {0.5f, 0.5f});
  EXPECT_THAT(error_of("dot_general", share(contracting({1}, {0})), tiled),
              HasSubstr("n: lhs_scale: varies along a contracted axis"));
}

TEST(DotGeneral, ScalesOfATiledFreeAxisRepeat) {
  const HostTensor out =
      run_op("dot_general", share(contracting({1}, {0})),
             {i8({4, 1}, {1, 1, 1, 1}), i8({1, 1}, {3}), std::nullopt, std::nullopt, f32({2, 1}, {1, 10})});
  EXPECT_TRUE(same_bits(out, f32({4, 1}, {3, 3, 30, 30})));
}

TEST(DotGeneral, WeightsOfIntegersWithFloatActivations) {
  DotGeneralAttrs attrs = contracting({1}, {0});
  attrs.accumulator = ValueType::kF32;
  const HostTensor out = run_op("dot_general", share(attrs),
                                {f32({1, 2}, {0.5f, 2}), u8({2, 1}, {10, 20}), std::nullopt, u8({1, 1}, {8})});
  EXPECT_TRUE(same_bits(out, f32({1, 1}, {0.5f * 2 + 2.f * 12})));
}

TEST(DotGeneral, NoFreeAxesGiveAScalar) {
  EXPECT_TRUE(same_bits(run_op("dot_general", share(contracting({0}, {0})), {i8({2}, {3, 4}), i8({2}, {5, 6})}),
                        i32({}, {39})));
}

TEST(DotGeneral, RefusesAxesThatDoNotPair) {
  const HostTensor a = i8({2, 3}, {0, 0, 0, 0, 0, 0}), b = i8({3, 2}, {0, 0, 0, 0, 0, 0});
  EXPECT_THAT(error_of("dot_general", share(contracting({1}, {1})), {a, b}),
              HasSubstr("n: rhs_contracting: axis 1 of rhs has 2 elements, its partner, axis 1 of lhs, has 3"));
  EXPECT_THAT(error_of("dot_general", share(contracting({1}, {})), {a, b}), HasSubstr("has 0 axes"));
  EXPECT_THAT(error_of("dot_general", share(contracting({-1}, {0})), {a, b}), HasSubstr("axis -1 is not one of"));
  DotGeneralAttrs both = contracting({1}, {0});
  both.lhs_batch = {1};
  both.rhs_batch = {0};
  EXPECT_THAT(error_of("dot_general", share(both), {a, b}), HasSubstr("n: lhs_batch: axis 1 is contracted too"));
  DotGeneralAttrs permuted = contracting({1}, {0});
  permuted.output_permutation = {0};
  EXPECT_THAT(error_of("dot_general", share(permuted), {a, b}), HasSubstr("n: output_permutation"));
}

TEST(DotGeneral, RefusesScalesThatDoNotTile) {
  const HostTensor a = i8({1, 4}, {0, 0, 0, 0}), b = i8({4, 1}, {0, 0, 0, 0});
  EXPECT_THAT(
      error_of("dot_general", share(contracting({1}, {0})), {a, b, std::nullopt, std::nullopt, f32({1, 3}, {1, 1, 1})}),
      HasSubstr("n: lhs_scale: has shape 1x3 for an operand of shape 1x4"));
  EXPECT_THAT(error_of("dot_general", share(contracting({1}, {0})),
                       {a, b, std::nullopt, std::nullopt, f32({1, 2}, {1, 1}), f32({4, 1}, {1, 1, 1, 1})}),
              HasSubstr("use one tile size for both operands"));
  EXPECT_THAT(error_of("dot_general", share(contracting({1}, {0})), {a, b, i32({1, 2}, {1, 1})}),
              HasSubstr("need a scale"));
  EXPECT_THAT(
      error_of("dot_general", share(contracting({1}, {0})), {a, b, std::nullopt, std::nullopt, i32({1, 1}, {1})}),
      HasSubstr("scales are float32, bfloat16 or float16"));
}

TEST(DotGeneral, RefusesResultsThatOverflow) {
  // 2^21 x 2^21 results from two small operands.
  HostTensor tall(ValueType::kI8, {1 << 21, 1});
  DotGeneralAttrs attrs = contracting({1}, {1});
  EXPECT_THAT(error_of("dot_general", share(attrs), {tall, tall}), HasSubstr("2^40"));
}

}  // namespace
}  // namespace qlathe::testing
