#include "frontend/numerics/brevitas_quantizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "frontend/numerics/brevitas_act.h"
#include "frontend/numerics/brevitas_catalogue.h"
#include "frontend/numerics/brevitas_weight.h"

namespace qlathe::brevitas {
namespace {

using ::testing::HasSubstr;

HostTensor floats(Shape shape, const std::vector<float>& values) {
  return HostTensor::of<float>(ValueType::kF32, std::move(shape), values);
}

Quantizer named(Role role, const char* name) {
  auto q = find_quantizer(role, name);
  EXPECT_TRUE(q.ok()) << q.status().text();
  return q.value();
}

TEST(BrevitasNames, AreUnique) {
  std::set<std::string> seen;
  for (const Quantizer& q : catalogue())
    EXPECT_TRUE(seen.insert(q.name).second) << q.name;
}

TEST(BrevitasNames, EverySupportedQuantizerPassesItsOwnCheck) {
  for (Quantizer q : catalogue()) {
    if (q.statistic == Statistic::kRange) q.max_val = 1;
    EXPECT_TRUE(q.number == Number::kBinary || check(q).ok()) << q.name << ": " << check(q).text();
  }
}

TEST(BrevitasNames, UnknownNameSuggestsTheNearest) {
  const auto q = find_quantizer(Role::kWeight, "Int8WeightPerTensorFlaot");
  ASSERT_FALSE(q.ok());
  EXPECT_THAT(q.status().text(), HasSubstr("did you mean 'Int8WeightPerTensorFloat'?"));
}

TEST(BrevitasNames, ActivationQuantizerOnAWeightIsNamedAsSuch) {
  const auto q = find_quantizer(Role::kWeight, "Uint8ActPerTensorFloat");
  ASSERT_FALSE(q.ok());
  EXPECT_THAT(q.status().text(), HasSubstr("is an activation quantizer, not a weight quantizer"));
}

TEST(BrevitasNames, TrainedQuantizersAreUnsupportedNotUnknown) {
  const auto q = find_quantizer(Role::kWeight, "Int8AccumulatorAwareWeightQuant");
  ASSERT_FALSE(q.ok());
  EXPECT_TRUE(q.status().only_unsupported()) << q.status().text();
}

TEST(BrevitasCheck, NamesTheFieldThatIsOutOfRange) {
  Quantizer q = named(Role::kWeight, "Int8WeightPerTensorFloat");
  q.bit_width = 9;
  EXPECT_THAT(check(q).text(), HasSubstr("bit_width"));
  q = named(Role::kAct, "Uint8ActPerTensorFloatMaxInit");
  EXPECT_THAT(check(q).text(), HasSubstr("max_val"));
}

TEST(BrevitasWeight, AbsMaxPerTensorUsesTheNarrowRange) {
  const auto q = named(Role::kWeight, "Int8WeightPerTensorFloat");
  const auto result = quantize_weight(floats({2, 2}, {-1.27f, 0.0f, 0.635f, 0.01f}), q);
  ASSERT_TRUE(result.ok()) << result.status().text();
  EXPECT_EQ(result->scale.as<float>()[0], 1.27f / 127.0f);
  EXPECT_EQ(result->integers.as<int32_t>()[0], -127);
  EXPECT_EQ(result->integers.as<int32_t>()[3], 1);
}

TEST(BrevitasWeight, TransposedConvolutionsHaveTheirChannelsOnAxisOne) {
  const auto q = named(Role::kWeight, "Int8WeightPerChannelFloat");
  const auto result = quantize_weight(floats({2, 3, 1}, {1, 2, 3, -4, 5, -6}), q, {.channel_axis = 1});
  ASSERT_TRUE(result.ok()) << result.status().text();
  EXPECT_EQ(result->scale.shape(), (Shape{1, 3, 1}));
  EXPECT_EQ(result->scale.as<float>()[0], 4.0f / 127.0f);
  EXPECT_EQ(result->scale.as<float>()[2], 6.0f / 127.0f);
  EXPECT_EQ(result->tile, (Shape{2, 1, 1}));
}

TEST(BrevitasWeight, AllZeroWeightsKeepAFiniteScale) {
  for (const char* name : {"Int8WeightPerTensorFloat", "Int8WeightPerChannelFixedPoint", "Int8WeightPerChannelFloatMSE",
                           "Int8WeightPerTensorFloatHQO", "ShiftedUint8WeightPerTensorFloat", "MXInt8Weight",
                           "Fp8e4m3OCPWeightPerTensorFloat"}) {
    const auto result = quantize_weight(floats({2, 2}, {0, 0, 0, 0}), named(Role::kWeight, name));
    ASSERT_TRUE(result.ok()) << name << result.status().text();
    for (float s : result->scale.as<float>())
      EXPECT_TRUE(std::isfinite(s) && s > 0) << name << " " << s;
    for (float v : result->dequantized.as<float>())
      EXPECT_EQ(v, 0.0f) << name;
  }
}

TEST(BrevitasWeight, NotFiniteIsAUserError) {
  const auto q = named(Role::kWeight, "Int8WeightPerTensorFloat");
  const auto result = quantize_weight(floats({1, 2}, {1.0f, std::nanf("")}), q);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.status().text(), HasSubstr("not finite"));
}

TEST(BrevitasBias, SharesTheAccumulatorsScalePerChannel) {
  const auto q = named(Role::kBias, "Int32Bias");
  const HostTensor scale = floats({3}, {0.5f, 0.25f, 0.125f});
  const auto result = quantize_bias(floats({3}, {1.25f, -1.0f, 3e9f}), q, &scale);
  ASSERT_TRUE(result.ok()) << result.status().text();
  const auto integers = result->integers.as<int32_t>();
  EXPECT_EQ(integers[0], 2);  // 2.5, half to even
  EXPECT_EQ(integers[1], -4);
  EXPECT_EQ(integers[2], 2147483647);
}

TEST(BrevitasBias, SmallBiasesSaturate) {
  const auto q = named(Role::kBias, "Int8Bias");
  const HostTensor scale = floats({}, {0.01f});
  const auto result = quantize_bias(floats({2}, {5.0f, -5.0f}), q, &scale);
  ASSERT_TRUE(result.ok()) << result.status().text();
  EXPECT_EQ(result->integers.as<int32_t>()[0], 127);
  EXPECT_EQ(result->integers.as<int32_t>()[1], -128);
}

TEST(BrevitasBias, WithoutAnAccumulatorScaleSaysWhatIsMissing) {
  const auto result = quantize_bias(floats({1}, {1}), named(Role::kBias, "Int32Bias"), nullptr);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.status().text(), HasSubstr("needs a quantized input and weight"));
}

TEST(BrevitasBias, InternalScalingFindsItsOwnScale) {
  const auto q = named(Role::kBias, "Int8BiasPerTensorFloatInternalScaling");
  const auto result = quantize_bias(floats({2}, {-1.28f, 0.64f}), q, nullptr);
  ASSERT_TRUE(result.ok()) << result.status().text();
  EXPECT_EQ(result->scale.as<float>()[0], 1.28f / 128.0f);
  EXPECT_EQ(result->integers.as<int32_t>()[0], -128);
}

TEST(BrevitasCalibration, MovingAverageRoundsEachStep) {
  auto c = ActCalibrator::make(named(Role::kAct, "Int8ActPerTensorFloat"));
  ASSERT_TRUE(c.ok());
  ASSERT_TRUE(c->observe(floats({3}, {-0.7f, 0.1f, 0.2f})).ok());
  ASSERT_TRUE(c->observe(floats({3}, {0.3f, 1.1f, -0.2f})).ok());
  const float kept = 0.7f * 0.9f;
  const float added = 0.1f * 1.1f;
  EXPECT_EQ(c->scale(), (kept + added) / 128.0f);
}

TEST(BrevitasCalibration, StopsCollectingAfterItsSteps) {
  Quantizer q = named(Role::kAct, "Uint8ActPerTensorFloat");
  q.collect_stats_steps = 1;
  auto c = ActCalibrator::make(q);
  ASSERT_TRUE(c.ok());
  ASSERT_TRUE(c->observe(floats({1}, {2.0f})).ok());
  ASSERT_TRUE(c->observe(floats({1}, {200.0f})).ok());
  EXPECT_EQ(c->scale(), 2.0f / 255.0f);
}

TEST(BrevitasStorage, Float8CodesDecodeToTheValues) {
  const auto q = named(Role::kWeight, "Fp8e4m3OCPWeight");
  const auto result = quantize_weight(floats({1, 4}, {1.0f, -448.0f, 0.001953125f, 0.0f}), q);
  ASSERT_TRUE(result.ok()) << result.status().text();
  const auto stored = stored_values(*result, q);
  ASSERT_TRUE(stored.ok()) << stored.status().text();
  EXPECT_EQ(stored->type(), ValueType::kF8E4M3);
  EXPECT_THAT(std::vector<int>(stored->as<uint8_t>().begin(), stored->as<uint8_t>().end()),
              ::testing::ElementsAre(0x38, 0xFE, 0x01, 0x00));
}

TEST(BrevitasStorage, TakesTheNarrowestType) {
  Quantizer q = named(Role::kWeight, "Int8WeightPerTensorFloat");
  q.bit_width = 3;
  EXPECT_EQ(storage_type(q).value(), ValueType::kI3);
  EXPECT_EQ(storage_type(named(Role::kWeight, "ShiftedUint8WeightPerTensorFloat")).value(), ValueType::kU8);
  EXPECT_EQ(storage_type(named(Role::kBias, "Int24Bias")).value(), ValueType::kI32);
}

}  // namespace
}  // namespace qlathe::brevitas
