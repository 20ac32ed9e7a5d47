#include "frontend/rules/brevitas_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace qlathe {
namespace {

using brevitas::Granularity;
using brevitas::RoundMode;
using ::testing::HasSubstr;

Result<BrevitasRule> read(const std::string& text) {
  auto document = parse_json("rules.json", text);
  EXPECT_TRUE(document.ok()) << document.status().text();
  return read_brevitas_rule(*document, document->root, "rules[0]");
}

TEST(BrevitasRule, ReadsTheQuantizersOfALayer) {
  const auto rule = read(R"({"_type": "BrevitasRule", "module_path": "fc.*",
    "weight_quant": "Int8WeightPerTensorFloat", "weight_bit_width": 4, "weight_per_channel": true,
    "act_quant": "Uint8ActPerTensorFloat", "act_bit_width": 3, "act_rounding": "floor",
    "bias_quant": "Int32Bias"})");
  ASSERT_TRUE(rule.ok()) << rule.status().text();
  EXPECT_EQ(rule->weight.bit_width, 4);
  EXPECT_EQ(rule->weight.granularity, Granularity::kChannel);
  EXPECT_TRUE(rule->weight.narrow_range);
  EXPECT_EQ(rule->act.bit_width, 3);
  EXPECT_FALSE(rule->act.is_signed);
  EXPECT_EQ(rule->act.rounding, RoundMode::kFloor);
  EXPECT_EQ(rule->weight.rounding, RoundMode::kRound);
  EXPECT_EQ(rule->bias.bit_width, 32);
}

TEST(BrevitasRule, OptionsWithoutPrefixHoldForWeightsAndActivations) {
  const auto rule = read(R"({"weight_quant": "Int8WeightPerTensorFloat", "act_quant": "Int8ActPerTensorFloat",
    "bias_quant": "Int8Bias", "bit_width": 5, "rounding": "ceil", "narrow_range": true, "act_bit_width": 6})");
  ASSERT_TRUE(rule.ok()) << rule.status().text();
  EXPECT_EQ(rule->weight.bit_width, 5);
  EXPECT_EQ(rule->act.bit_width, 6);
  EXPECT_EQ(rule->bias.bit_width, 8);
  EXPECT_TRUE(rule->act.narrow_range);
  EXPECT_EQ(rule->act.rounding, RoundMode::kCeil);
}

TEST(BrevitasRule, AcceptsBrevitasOwnSpellings) {
  const auto rule = read(R"({"weight_quant": "Int8WeightPerTensorFloat", "weight_scaling_per_output_type": "CHANNEL",
    "weight_float_to_int_impl_type": "ROUND_TO_ZERO"})");
  ASSERT_TRUE(rule.ok()) << rule.status().text();
  EXPECT_EQ(rule->weight.granularity, Granularity::kChannel);
  EXPECT_EQ(rule->weight.rounding, RoundMode::kRoundToZero);
}

TEST(BrevitasRule, SuggestsQuantizersAndFields) {
  const auto rule = read(R"({"weight_quant": "Int8WeightPerTensrFloat", "weight_bitwidth": 4})");
  ASSERT_FALSE(rule.ok());
  EXPECT_THAT(rule.status().text(), HasSubstr("did you mean 'Int8WeightPerTensorFloat'?"));
  EXPECT_THAT(rule.status().text(), HasSubstr("did you mean 'weight_bit_width'?"));
  EXPECT_THAT(rule.status().text(), HasSubstr("rules.json:1:"));
}

TEST(BrevitasRule, OptionsNeedTheirQuantizer) {
  const auto rule = read(R"({"weight_bit_width": 4})");
  ASSERT_FALSE(rule.ok());
  EXPECT_THAT(rule.status().text(), HasSubstr("options of a weight_quant that is not named"));
}

TEST(BrevitasRule, BitWidthsAreCheckedByRole) {
  EXPECT_FALSE(read(R"({"weight_quant": "Int8WeightPerTensorFloat", "weight_bit_width": 9})").ok());
  EXPECT_FALSE(read(R"({"weight_quant": "Int8WeightPerTensorFloat", "weight_bit_width": 1})").ok());
  EXPECT_TRUE(read(R"({"bias_quant": "IntBias", "bias_bit_width": 20})").ok());
  const auto rule = read(R"({"act_quant": "Uint8ActPerTensorFloat", "act_bit_width": 12})");
  ASSERT_FALSE(rule.ok());
  EXPECT_THAT(rule.status().text(), HasSubstr("act_bit_width"));
}

TEST(BrevitasRule, UnavailableQuantizersAreUnsupported) {
  const auto rule = read(R"({"act_quant": "MXInt8Act"})");
  ASSERT_FALSE(rule.ok());
  EXPECT_TRUE(rule.status().only_unsupported()) << rule.status().text();
}

TEST(BrevitasRule, StaticScalesAreChecked) {
  EXPECT_TRUE(read(R"({"act_quant": "Int8ActPerTensorFloat", "act_scale": 0.25})").ok());
  EXPECT_FALSE(read(R"({"act_quant": "Int8ActPerTensorFloat", "act_scale": -0.25})").ok());
  EXPECT_FALSE(read(R"({"act_scale": 0.25})").ok());
  EXPECT_FALSE(read(R"({"act_quant": "Int8ActPerTensorFloat", "act_zero_point": 3})").ok());
}

}  // namespace
}  // namespace qlathe
