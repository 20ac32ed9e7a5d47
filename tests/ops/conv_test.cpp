#include "frontend/ops/contraction.h"
#include "tests/ops/op_runner.h"
#include "tests/support/compare.h"
#include "tests/support/random_tensor.h"

namespace qlathe::testing {
namespace {

using ::testing::HasSubstr;

ConvAttrs conv_attrs(size_t axes) {
  ConvAttrs attrs;
  attrs.strides.assign(axes, 1);
  attrs.kernel_dilation.assign(axes, 1);
  attrs.input_dilation.assign(axes, 1);
  attrs.pad_lo.assign(axes, 0);
  attrs.pad_hi.assign(axes, 0);
  attrs.accumulator = ValueType::kI32;
  return attrs;
}

TEST(Conv, OneAxisByHand) {
  ConvAttrs attrs = conv_attrs(1);
  attrs.pad_lo = {1};
  const HostTensor out = run_op("conv", share(attrs), {i8({1, 3, 1}, {1, 2, 3}), i8({2, 1, 1}, {10, 1})});
  EXPECT_TRUE(same_bits(out, i32({1, 3, 1}, {1, 12, 23})));
}

TEST(Conv, PaddingIsWorthTheZeroPoint) {
  ConvAttrs attrs = conv_attrs(1);
  attrs.pad_lo = attrs.pad_hi = {1};
  const HostTensor out =
      run_op("conv", share(attrs), {u8({1, 1, 1}, {7}), i8({3, 1, 1}, {1, 2, 3}), u8({1, 1, 1}, {5})});
  EXPECT_TRUE(same_bits(out, i32({1, 1, 1}, {4})));
}

TEST(Conv, InputDilationIsTransposedConvolution) {
  // Each input value paints the reversed kernel: 1, 2 with stride 2.
  ConvAttrs attrs = conv_attrs(1);
  attrs.input_dilation = {2};
  attrs.pad_lo = attrs.pad_hi = {2};
  const HostTensor out = run_op("conv", share(attrs), {i8({1, 2, 1}, {1, 2}), i8({3, 1, 1}, {3, 2, 1})});
  EXPECT_TRUE(same_bits(out, i32({1, 5, 1}, {1, 2, 3 + 2, 4, 6})));
}

TEST(Conv, NegativePaddingCrops) {
  ConvAttrs attrs = conv_attrs(1);
  attrs.pad_lo = {-1};
  attrs.pad_hi = {-1};
  EXPECT_TRUE(same_bits(run_op("conv", share(attrs), {i8({1, 4, 1}, {1, 2, 3, 4}), i8({1, 1, 1}, {1})}),
                        i32({1, 2, 1}, {2, 3})));
}

TEST(Conv, TwoAxesGroupsStridesDilationsFollowTheDefinition) {
  Random random(2);
  ConvAttrs attrs = conv_attrs(2);
  attrs.strides = {2, 1};
  attrs.kernel_dilation = {1, 2};
  attrs.input_dilation = {1, 2};
  attrs.pad_lo = {1, 2};
  attrs.pad_hi = {0, -1};
  attrs.groups = 2;
  const int64_t I = 2, H = 6, W = 5, C = 4, O = 6, KH = 3, KW = 2;
  const HostTensor x = random_tensor(random, ValueType::kI8, {I, H, W, C});
  const HostTensor w = random_tensor(random, ValueType::kI8, {KH, KW, C / 2, O});
  const HostTensor zp = i32({2, 1, 1, 1}, {3, -7}), wz = i32({1, 1, 1, 3}, {1, 2, -3});
  const HostTensor out = run_op("conv", share(attrs), {x, w, zp, wz});
  ASSERT_EQ(out.shape(), (Shape{I, 3, 8, O}));
  HostTensor expected(ValueType::kI32, out.shape());
  int64_t at = 0;
  for (int64_t i = 0; i < I; i++)
    for (int64_t oy = 0; oy < 3; oy++)
      for (int64_t ox = 0; ox < 8; ox++)
        for (int64_t o = 0; o < O; o++) {
          int64_t sum = 0;
          for (int64_t ky = 0; ky < KH; ky++)
            for (int64_t kx = 0; kx < KW; kx++)
              for (int64_t c = 0; c < C / 2; c++) {
                const int64_t y = oy * 2 + ky - 1, xd = ox + kx * 2 - 2;
                if (y < 0 || y >= H || xd < 0 || xd % 2 != 0 || xd / 2 >= W) continue;
                const int64_t channel = o / (O / 2) * (C / 2) + c;
                sum += (x.int_at(((i * H + y) * W + xd / 2) * C + channel) - zp.int_at(i)) *
                       (w.int_at(((ky * KW + kx) * (C / 2) + c) * O + o) - wz.int_at(o / 2));
              }
          expected.set_int(at++, sum);
        }
  EXPECT_TRUE(same_bits(out, expected));
}

TEST(Conv, ThreeAxesSumWholeKernels) {
  ConvAttrs attrs = conv_attrs(3);
  HostTensor x(ValueType::kI8, {1, 3, 3, 3, 2}), w(ValueType::kI8, {2, 2, 2, 2, 1});
  for (int64_t i = 0; i < x.size(); i++)
    x.set_int(i, 1);
  for (int64_t i = 0; i < w.size(); i++)
    w.set_int(i, 1);
  EXPECT_TRUE(same_bits(run_op("conv", share(attrs), {x, w}), i32({1, 2, 2, 2, 1}, std::vector<int32_t>(8, 16))));
}

TEST(Conv, ScalesPerImageAndPerChannel) {
  ConvAttrs attrs = conv_attrs(1);
  const HostTensor out = run_op("conv", share(attrs),
                                {i8({2, 1, 1}, {1, 2}), i8({1, 1, 2}, {3, 4}), std::nullopt, std::nullopt,
                                 f32({2, 1, 1}, {10, 100}), f32({1, 1, 2}, {1, 0.5f})});
  EXPECT_TRUE(same_bits(out, f32({2, 1, 2}, {30, 20, 600, 400})));
}

TEST(Conv, RefusesWhatDoesNotFit) {
  const HostTensor x = i8({1, 3, 2}, std::vector<int8_t>(6)), w = i8({2, 2, 2}, std::vector<int8_t>(8));
  ConvAttrs attrs = conv_attrs(1);
  attrs.groups = 2;
  EXPECT_THAT(error_of("conv", share(attrs), {x, w}), HasSubstr("n: groups: 2 groups do not fit"));
  attrs = conv_attrs(1);
  attrs.pad_lo = {1, 1};
  EXPECT_THAT(error_of("conv", share(attrs), {x, w}), HasSubstr("n: pad_lo: has 2 entries, expected 1"));
  attrs = conv_attrs(1);
  attrs.pad_hi = {-2};
  EXPECT_THAT(error_of("conv", share(attrs), {x, w}), HasSubstr("covers 2 elements of an axis that has 1"));
  attrs = conv_attrs(1);
  attrs.pad_hi = {INT64_MAX};
  EXPECT_THAT(error_of("conv", share(attrs), {x, w}), HasSubstr("2^40"));
  attrs = conv_attrs(1);
  attrs.pad_hi = {int64_t{1} << 50};
  attrs.strides = {int64_t{1} << 50};
  EXPECT_THAT(error_of("conv", share(attrs), {x, w}), HasSubstr("2^40"));
  EXPECT_THAT(error_of("conv", share(conv_attrs(1)), {x, w, i32({1, 3, 1}, {0, 0, 0})}),
              HasSubstr("may vary along the images only"));
  EXPECT_THAT(error_of("conv", share(conv_attrs(4)), {x, w}), HasSubstr("a convolution has 1 to 3 axes"));
}

TEST(Conv, RefusesAConstantZeroPointThatTheInputCannotHold) {
  Graph graph;
  const TensorId x = graph.add_input("x", {ValueType::kI8, {1, 3, 1}});
  const TensorId w = graph.add_constant("w", i8({1, 1, 1}, {1}));
  const TensorId zp = graph.add_constant("z", i32({1, 1, 1}, {200}));
  EXPECT_THAT(graph.add("conv", {x, w, zp}, share(conv_attrs(1)), {.name = "n"}).status().text(),
              HasSubstr("n: lhs_zero_point: 200 is outside the range of int8"));
}

}  // namespace
}  // namespace qlathe::testing
