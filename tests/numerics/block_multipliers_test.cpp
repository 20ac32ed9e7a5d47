#include "frontend/numerics/block_multipliers.h"

#include <gtest/gtest.h>

#include <cmath>

#include "frontend/numerics/convert.h"
#include "tests/support/random_tensor.h"

namespace qlathe {
namespace {

HowToQuantize how(const char* format, int64_t tile) {
  return {parse_quant_format(format).value(), {}, {1}, {{0, TileSize::of(tile)}}};
}

TEST(BlockMultipliers, AreTheBlocksScalesOverTheirLargestInSteps) {
  // One channel, blocks of two: absmax 7.5, 3.75, 0.01 and 0; scales 1, 0.5, 0.00133 and none; the channel's is 1 /
  // 255.
  const HostTensor x = HostTensor::of<float>(ValueType::kF32, {8, 1}, {7.5f, -3, 3.75f, 1, 0.01f, -0.01f, 0, 0});
  const auto q = quantize_block_int(x, how("int4", 2));
  ASSERT_TRUE(q.ok()) << q.status().text();
  EXPECT_EQ(q->scale, HostTensor::of<float>(ValueType::kF32, {1, 1}, {1.0f / 255}));
  EXPECT_EQ(q->multiplier, HostTensor::of<uint8_t>(ValueType::kU8, {4, 1}, {255, 128, 1, 1}));
  // 3.75 * 255 / 128 = 7.47 and 1 * 255 / 128 = 1.99; 0.01 * 255 = 2.55.
  EXPECT_EQ(q->values, HostTensor::of<int8_t>(ValueType::kI4, {8, 1}, {7, -3, 7, 2, 3, -3, 0, 0}));
  EXPECT_EQ(largest_multiplied_sum(*q, 0), 10 * 255 + 9 * 128 + 6);
}

TEST(BlockMultipliers, ChannelsDoNotKnowOfEachOther) {
  const HostTensor x = HostTensor::of<float>(ValueType::kF32, {2, 2}, {7.5f, 0, 7.5f, 0});
  const auto q = quantize_block_int(x, how("int4", 1));
  ASSERT_TRUE(q.ok()) << q.status().text();
  EXPECT_EQ(q->scale, HostTensor::of<float>(ValueType::kF32, {1, 2}, {1.0f / 255, 1}));
  EXPECT_EQ(q->multiplier, HostTensor::of<uint8_t>(ValueType::kU8, {2, 2}, {255, 1, 255, 1}));
}

/// Signal to quantization noise in dB.
double sqnr(const HostTensor& x, const std::vector<double>& real) {
  double signal = 0, noise = 0;
  for (size_t i = 0; i < real.size(); i++) {
    const double v = x.as<float>()[i];
    signal += v * v;
    noise += (v - real[i]) * (v - real[i]);
  }
  return 10 * std::log10(signal / noise);
}

TEST(BlockMultipliers, CostAlmostNoPrecisionAgainstFloatScales) {
  // The numbers of docs/numerics.md.
  testing::Random random(5);
  HostTensor x(ValueType::kF32, {1024, 64});
  for (float& v : x.as<float>()) {
    // Twelve uniform numbers make a normal one.
    v = 0;
    for (int i = 0; i < 12; i++)
      v += testing::random_tensor(random, ValueType::kF32, {1}, 1.0f).as<float>()[0] * 0.5f;
  }
  for (const auto& [format, tile] : {std::pair("int2", 32), std::pair("int3", 32), std::pair("int4", 32),
                                     std::pair("int4", 128), std::pair("int8", 32)}) {
    const HowToQuantize h = how(format, tile);
    const auto blocks = quantize_block_int(x, h);
    const auto plain = quantize(x, h);
    ASSERT_TRUE(blocks.ok() && plain.ok());
    std::vector<double> a, b;
    for (int64_t i = 0; i < x.size(); i++) {
      const int64_t block = i / 64 / tile * 64 + i % 64;
      a.push_back(static_cast<double>(blocks->values.int_at(i) * blocks->multiplier.int_at(block)) *
                  blocks->scale.as<float>()[static_cast<size_t>(i % 64)]);
      b.push_back(static_cast<double>(plain->values.int_at(i)) * plain->scale.as<float>()[static_cast<size_t>(block)]);
    }
    const double with_multipliers = sqnr(x, a), with_scales = sqnr(x, b);
    std::printf("%s in blocks of %d: float scales %.2f dB, multipliers %.2f dB\n", format, tile, with_scales,
                with_multipliers);
    EXPECT_GT(with_multipliers, with_scales - 0.05) << format << " in blocks of " << tile;
  }
}

}  // namespace
}  // namespace qlathe
