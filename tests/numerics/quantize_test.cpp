#include "frontend/numerics/quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/numerics/convert.h"

namespace qlathe {
namespace {

using ::testing::HasSubstr;

HowToQuantize how(const char* format, const char* method = "absmax") {
  return {parse_quant_format(format).value(), parse_calibration_method(method).value(), {}, {}};
}

HostTensor floats(Shape shape, const std::vector<float>& values) {
  return HostTensor::of<float>(ValueType::kF32, std::move(shape), values);
}

TEST(Quantize, OneScalePerColumnWithTheOutermostBucketInFull) {
  HowToQuantize by_column = how("int8");
  by_column.channelwise_axes = {1};
  const auto q = quantize(floats({2, 2}, {1, -255, -0.5f, 127.5f}), by_column);
  ASSERT_TRUE(q.ok()) << q.status().text();
  EXPECT_EQ(q->scale, floats({1, 2}, {1.0f * (1.0f / 127.5f), 255.0f * (1.0f / 127.5f)}));
  EXPECT_EQ(q->values, HostTensor::of<int8_t>(ValueType::kI8, {2, 2}, {127, -128, -64, 64}));
}

TEST(Quantize, AnAllZeroGroupHasScaleOne) {
  const auto q = quantize(floats({3}, {0, 0, 0}), how("int8"));
  EXPECT_EQ(q->scale, floats({1}, {1}));
  EXPECT_EQ(q->values, HostTensor::of<int8_t>(ValueType::kI8, {3}, {0, 0, 0}));
}

TEST(Quantize, AsymmetricUsesTheFullRangeAndKeepsZeroExact) {
  const auto q = quantize(floats({3}, {0, 1, 255}), how("int8", "minmax"));
  EXPECT_EQ(q->scale, floats({1}, {1}));
  ASSERT_TRUE(q->zero_point.has_value());
  EXPECT_EQ(*q->zero_point, HostTensor::of<int8_t>(ValueType::kI8, {1}, {-128}));
  EXPECT_EQ(q->values, HostTensor::of<int8_t>(ValueType::kI8, {3}, {-128, -127, 127}));
  EXPECT_EQ(*dequantize(q->values, q->scale, q->zero_point_or_null()), floats({3}, {0, 1, 255}));
}

TEST(Quantize, UnsignedDropsNegativeValues) {
  const auto q = quantize(floats({2}, {-255.5f, 255.5f}), how("uint8"));
  EXPECT_EQ(q->values, HostTensor::of<uint8_t>(ValueType::kU8, {2}, {0, 255}));
}

TEST(Quantize, FixedRangesGiveOneScaleWhateverTheAxes) {
  HowToQuantize fixed = how("int8", "fixed,2");
  fixed.channelwise_axes = {0, 1};
  const auto q = quantize(floats({2, 2}, {1, 2, 3, -3}), fixed);
  EXPECT_EQ(q->scale.shape(), (Shape{1, 1}));
  EXPECT_EQ(q->values, HostTensor::of<int8_t>(ValueType::kI8, {2, 2}, {64, 127, 127, -128}));
}

TEST(Quantize, TilesShareAScaleAndFractionsCountTiles) {
  HowToQuantize tiled = how("int4");
  tiled.tiled_axes = {{0, TileSize::of_axis(0.5)}};
  const auto q = quantize(floats({4}, {7.5f, 1, 15, 2}), tiled);
  EXPECT_EQ(q->scale.shape(), (Shape{2}));
  EXPECT_EQ(q->values, HostTensor::of<int8_t>(ValueType::kI4, {4}, {7, 1, 7, 1}));
}

TEST(Quantize, AFractionOfOneSharesAndTheIntegerOneDoesNot) {
  HowToQuantize one = how("int8"), whole = how("int8");
  one.tiled_axes = {{0, TileSize::of(1)}};
  whole.tiled_axes = {{0, TileSize::of_axis(1.0)}};
  EXPECT_EQ(quantize(floats({4}, {1, 2, 3, 4}), one)->scale.shape(), (Shape{4}));
  EXPECT_EQ(quantize(floats({4}, {1, 2, 3, 4}), whole)->scale.shape(), (Shape{1}));
}

TEST(Quantize, MistakesInTilesAreNamed) {
  const HostTensor x = floats({16, 2}, std::vector<float>(32, 1));
  HowToQuantize bad = how("int8");
  bad.tiled_axes = {{0, TileSize::of(32)}};
  EXPECT_THAT(quantize(x, bad).status().text(), HasSubstr("tile size 32 does not divide axis 0 of shape 16x2"));
  bad.tiled_axes = {{0, TileSize::of_axis(0.3)}};
  EXPECT_THAT(quantize(x, bad).status().text(), HasSubstr("tile size 0.3 (5 elements) does not divide axis 0"));
  bad.tiled_axes = {{0, TileSize::of(0)}};
  EXPECT_THAT(quantize(x, bad).status().text(), HasSubstr("tile size 0 does not divide"));
  bad.tiled_axes = {{0, TileSize::of(4)}};
  bad.channelwise_axes = {0};
  EXPECT_THAT(quantize(x, bad).status().text(), HasSubstr("both channelwise and tiled"));
  EXPECT_THAT(quantize(x, how("mxfp8")).status().text(), HasSubstr("mxfp8 needs a tiled axis; set tile_size to 32"));
  HowToQuantize nvfp4 = how("nvfp4");
  nvfp4.tiled_axes = {{0, TileSize::of(32)}};
  EXPECT_THAT(quantize(x, nvfp4).status().text(), HasSubstr("nvfp4 needs tiles of 16, axis 0 has 32"));
}

TEST(Quantize, TypesWithoutAZeroPointRefuseAsymmetricRanges) {
  const HostTensor x = floats({2}, {1, 2});
  for (const char* format : {"float8_e4m3fn", "nf4", "uint8", "int3", "int7"}) {
    EXPECT_THAT(quantize(x, how(format, "minmax")).status().text(),
                HasSubstr(std::string(format) + " has no zero point"));
  }
  EXPECT_TRUE(quantize(x, how("int4", "minmax")).ok());
}

TEST(Quantize, OnlyFloatTensorsAreQuantized) {
  const auto q = quantize(HostTensor::of<int32_t>(ValueType::kI32, {1}, {1}), how("int8"));
  EXPECT_THAT(q.status().text(), HasSubstr("type int32 cannot be quantized"));
}

TEST(WindowedSum, CutsLongAxesIntoWindowsOfThirtyTwoFromTheMiddle) {
  // 48 elements: two windows, 8 elements missing in each, so [0, 24) and [24, 48). A large value and its
  // negative in the first window swallow the ones between them only.
  std::vector<float> values(48, 1.0f);
  values[0] = 0x1p30f;
  values[23] = -0x1p30f;
  EXPECT_EQ(windowed_sum(values, {48}, false), 24.0f);
  values[23] = 1;
  values[24] = -0x1p30f;
  EXPECT_EQ(windowed_sum(values, {48}, false), 0.0f);
  EXPECT_EQ(windowed_sum(std::vector<float>(40, 1.0f), {2, 20}, true), 40.0f);
}

TEST(WindowedSum, ASingleSumOverTwoAxesRunsInLanes) {
  // 4 rows of 5: lanes 0 and 2 meet first. Element 0 swallows its own row and, with row 2, nothing of rows 1 and 3.
  EXPECT_EQ(sum_lanes({4, 5}), 4);
  std::vector<float> values(20, 1.0f);
  values[0] = 0x1p30f;
  values[10] = -0x1p30f;
  EXPECT_EQ(windowed_sum(values, {4, 5}, true), 10.0f);
  EXPECT_EQ(windowed_sum(values, {4, 5}, false), 9.0f);
  EXPECT_EQ(sum_lanes({3, 5}), 1);
  EXPECT_EQ(sum_lanes({4, 9}), 1);
  EXPECT_EQ(sum_lanes({20, 1, 3}), 4);
  EXPECT_EQ(sum_lanes({16, 8}), 4);
}

}  // namespace
}  // namespace qlathe
