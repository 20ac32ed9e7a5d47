#include "tests/cases/tolerance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace qlathe::cases {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;

HostTensor floats(const std::vector<float>& v) {
  return HostTensor::of<float>(ValueType::kF32, {static_cast<int64_t>(v.size())}, v);
}
HostTensor bytes(ValueType type, const std::vector<uint8_t>& v) {
  return HostTensor::of<uint8_t>(type, {static_cast<int64_t>(v.size())}, v);
}
bool equal(const HostTensor& got, const HostTensor& want, const Allowance& allowance = {}) {
  Findings findings;
  findings.compare("a", got, want, allowance);
  return findings.differences.empty();
}
std::vector<float> nothing() { return {}; }

TEST(Compare, ExactMeansTheSameBitsOfZerosAndNaN) {
  EXPECT_TRUE(equal(floats({1, -0.f}), floats({1, -0.f})));
  EXPECT_FALSE(equal(floats({0.f}), floats({-0.f})));
  EXPECT_FALSE(equal(floats({std::nextafter(1.f, 2.f)}), floats({1})));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(equal(floats({nan}), floats({nan})));
  EXPECT_FALSE(equal(floats({-nan}), floats({nan})));
}

TEST(Compare, TellsHowManyDifferAndWhereTheWorstIs) {
  Findings findings;
  findings.compare("x", HostTensor::of<float>(ValueType::kF32, {2, 2}, {1, 2, 3, 9}),
                   HostTensor::of<float>(ValueType::kF32, {2, 2}, {1, 2.5f, 3, 4}));
  ASSERT_EQ(findings.differences.size(), 1u);
  EXPECT_EQ(findings.differences[0].line(), "x: 2 of 4 elements differ, worst at [1,1]: 9, expected 4, off by 5");
}

TEST(Compare, IntegersMayBeStoredAsFloatsButMustBeEqual) {
  const HostTensor integers = HostTensor::of<int8_t>(ValueType::kI8, {2}, {-3, 7});
  EXPECT_TRUE(equal(integers, floats({-3, 7})));
  EXPECT_FALSE(equal(integers, floats({-3, 7.5f})));
}

TEST(Compare, ShapesMayDifferByOnesOnly) {
  EXPECT_TRUE(equal(HostTensor(ValueType::kF32, {1, 3}), HostTensor(ValueType::kF32, {3, 1})));
  EXPECT_FALSE(equal(HostTensor(ValueType::kF32, {2, 3}), HostTensor(ValueType::kF32, {3, 2})));
  EXPECT_FALSE(equal(HostTensor(ValueType::kF32, {2}), HostTensor(ValueType::kF32, {3})));
}

TEST(Compare, RelativeToMaxIsOfTheLargestExpectedValue) {
  const Allowance allowance{Allowance::Kind::kRelativeToMax, 0.01, {}};
  EXPECT_TRUE(equal(floats({100, 0.9f}), floats({100, 0}), allowance));
  EXPECT_FALSE(equal(floats({100, 1.1f}), floats({100, 0}), allowance));
  EXPECT_FALSE(equal(floats({100, NAN}), floats({100, 0}), allowance));
}

TEST(Compare, OneStepIsTheNextValueOfTheType) {
  const Allowance step{Allowance::Kind::kOneStep, 0, {}};
  EXPECT_TRUE(equal(bytes(ValueType::kF8E4M3, {0x40}), bytes(ValueType::kF8E4M3, {0x41}), step));
  EXPECT_FALSE(equal(bytes(ValueType::kF8E4M3, {0x40}), bytes(ValueType::kF8E4M3, {0x42}), step));
  EXPECT_FALSE(equal(bytes(ValueType::kF8E4M3, {0x41}), bytes(ValueType::kF8E4M3, {0xc1}), step)) << "the sign flipped";
  EXPECT_TRUE(equal(bytes(ValueType::kF8E4M3, {0x81}), bytes(ValueType::kF8E4M3, {0x00}), step)) << "across zero";
  const auto bf16 = [](uint16_t bits) { return HostTensor::of<uint16_t>(ValueType::kBF16, {1}, {bits}); };
  EXPECT_TRUE(equal(bf16(0x3f80), bf16(0x3f81), step));
  EXPECT_FALSE(equal(bf16(0x3f80), bf16(0x3f82), step));
}

TEST(Compare, OneStepAtATieIsRefusedElsewhere) {
  const HostTensor got = HostTensor::of<int8_t>(ValueType::kI8, {1}, {3});
  const HostTensor want = HostTensor::of<int8_t>(ValueType::kI8, {1}, {2});
  EXPECT_TRUE(equal(got, want, {Allowance::Kind::kOneStepAtTie, 1e-5, {2.500001f}}));
  EXPECT_FALSE(equal(got, want, {Allowance::Kind::kOneStepAtTie, 1e-5, {2.51f}}));
}

TEST(Wording, UnknownOrMissingIsExact) {
  for (const char* text : {R"({})", R"({"qvalue": "roughly", "scale": "roughly", "output": "roughly"})"}) {
    const Tolerance t(ordered_json::parse(text));
    for (const Source source : {Source::kWeight, Source::kFirstLayer, Source::kLaterLayer}) {
      EXPECT_EQ(t.stored(source, nothing).kind, Allowance::Kind::kExact);
      EXPECT_EQ(t.scale(source).kind, Allowance::Kind::kExact);
    }
    EXPECT_EQ(t.output().kind, Allowance::Kind::kExact);
  }
}

TEST(Wording, OnlyLaterLayersMayFlip) {
  const Tolerance t(ordered_json::parse(
      R"({"qvalue": "exact for weights; activations of later layers may flip by one step", "scale": "exact for weights",
          "output_rel_to_max": 0.02, "typical_rel_to_max": 1e-06})"));
  EXPECT_EQ(t.stored(Source::kWeight, nothing).kind, Allowance::Kind::kExact);
  EXPECT_EQ(t.stored(Source::kFirstLayer, nothing).kind, Allowance::Kind::kExact);
  EXPECT_EQ(t.stored(Source::kLaterLayer, nothing).kind, Allowance::Kind::kOneStep);
  EXPECT_EQ(t.scale(Source::kFirstLayer).kind, Allowance::Kind::kExact);
  EXPECT_EQ(t.scale(Source::kLaterLayer).bound, 1e-6);
  EXPECT_EQ(t.output().bound, 0.02);
}

}  // namespace
}  // namespace qlathe::cases
