#include "frontend/numerics/convert.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace qlathe {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(Encode, EveryFiniteCodeIsItsOwnNearest) {
  for (ValueType type : {ValueType::kF8E4M3, ValueType::kF8E5M2, ValueType::kF4E2M1, ValueType::kNF4}) {
    for (int code = 0; code < (info(type).bits == 8 ? 256 : 16); ++code) {
      const float value = decode(type, static_cast<uint8_t>(code));
      if (!std::isfinite(value)) continue;
      EXPECT_EQ(encode(type, value), code) << name(type);
    }
  }
}

TEST(Encode, MidpointsGoToTheEvenCode) {
  for (ValueType type : {ValueType::kF8E4M3, ValueType::kF8E5M2, ValueType::kF4E2M1}) {
    const int last = type == ValueType::kF4E2M1 ? 7 : encode(type, kInf);
    for (int code = 0; code < last; ++code) {
      const float low = decode(type, static_cast<uint8_t>(code));
      const float high = decode(type, static_cast<uint8_t>(code + 1));
      const float middle = (low + high) / 2;  // exact: the codes have few bits
      EXPECT_EQ(encode(type, middle), code + (code & 1)) << name(type) << " " << middle;
      EXPECT_EQ(encode(type, std::nextafter(middle, 0.0f)), code) << name(type) << " below " << middle;
      EXPECT_EQ(encode(type, std::nextafter(middle, kInf)), code + 1) << name(type) << " above " << middle;
    }
  }
}

TEST(Encode, ValuesOutOfRangeSaturate) {
  EXPECT_EQ(encode(ValueType::kF8E4M3, kInf), 0x7e);
  EXPECT_EQ(encode(ValueType::kF8E4M3, -1e9f), 0xfe);
  EXPECT_EQ(encode(ValueType::kF8E5M2, -kInf), 0xfb);
  EXPECT_EQ(encode(ValueType::kF4E2M1, 7.0f), 7);
  EXPECT_EQ(encode(ValueType::kF4E2M1, -kInf), 15);
}

TEST(Encode, NanBecomesTheTypesOwn) {
  EXPECT_EQ(encode(ValueType::kF8E4M3, kNan), 0x7f);
  EXPECT_EQ(encode(ValueType::kF8E4M3, -kNan), 0xff);
  EXPECT_EQ(encode(ValueType::kF8E5M2, kNan), 0x7e);
  EXPECT_EQ(encode(ValueType::kF4E2M1, kNan), 8);
  EXPECT_EQ(encode(ValueType::kNF4, kNan), 0);
}

TEST(Encode, Nf4TakesTheFirstOfEquallyNearEntries) {
  // 0 and the entry above it: the midpoint is exact.
  const float middle = kNf4Table[8] / 2;
  EXPECT_EQ(encode(ValueType::kNF4, middle), 7);
  EXPECT_EQ(encode(ValueType::kNF4, std::nextafter(middle, 1.0f)), 8);
  EXPECT_EQ(encode(ValueType::kNF4, kInf), 0);
}

TEST(HalfFloats, EveryPatternSurvivesTheWayThroughFloat) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto b = static_cast<uint16_t>(bits);
    if (!std::isnan(bf16_to_f32(b))) {
      ASSERT_EQ(f32_to_bf16(bf16_to_f32(b)), b) << bits;
    }
    if (!std::isnan(f16_to_f32(b))) {
      ASSERT_EQ(f32_to_f16(f16_to_f32(b)), b) << bits;
    }
  }
}

TEST(HalfFloats, TiesGoToTheEvenPatternAndNanStaysNan) {
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const auto b = static_cast<uint16_t>(bits);
    const float low = f16_to_f32(b);
    const float high = bits == 0x7bff ? 65536.f : f16_to_f32(static_cast<uint16_t>(bits + 1));
    const float middle = low + (high - low) / 2;
    EXPECT_EQ(f32_to_f16(middle), bits + (bits & 1));
    EXPECT_EQ(f32_to_f16(std::nextafter(middle, 0.0f)), bits);
    EXPECT_EQ(f32_to_f16(std::nextafter(middle, kInf)), bits + 1);
  }
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f808000u)), 0x3f80);
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f818000u)), 0x3f82);
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(kNan))));
  EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(kNan))));
}

TEST(RoundClip, HalvesGoToEvenAndNanToZero) {
  EXPECT_EQ(round_clip(0.5f, -128, 127), 0);
  EXPECT_EQ(round_clip(1.5f, -128, 127), 2);
  EXPECT_EQ(round_clip(-2.5f, -128, 127), -2);
  EXPECT_EQ(round_clip(-127.5f, -128, 127), -128);
  EXPECT_EQ(round_clip(126.5f, -128, 127), 126);
  EXPECT_EQ(round_clip(127.5f, -128, 127), 127);
  EXPECT_EQ(round_clip(-3.0f, 0, 255), 0);
  EXPECT_EQ(round_clip(kInf, -8, 7), 7);
  EXPECT_EQ(round_clip(-kInf, -8, 7), -8);
  EXPECT_EQ(round_clip(kNan, -8, 7), 0);
}

TEST(ToFloats, WidensEveryKindOfElement) {
  EXPECT_EQ(to_floats(HostTensor::of<int8_t>(ValueType::kI4, {2}, {-8, 7})), (std::vector<float>{-8, 7}));
  EXPECT_EQ(to_floats(HostTensor::of<uint8_t>(ValueType::kU8, {1}, {200})), (std::vector<float>{200}));
  EXPECT_EQ(to_floats(HostTensor::of<uint8_t>(ValueType::kF4E2M1, {2}, {7, 9})), (std::vector<float>{6, -0.5f}));
  EXPECT_EQ(to_floats(HostTensor::of<uint16_t>(ValueType::kBF16, {1}, {0xc000})), (std::vector<float>{-2}));
}

}  // namespace
}  // namespace qlathe
