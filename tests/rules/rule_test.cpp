#include "frontend/rules/rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace qlathe {
namespace {

using ::testing::HasSubstr;

Rule one(const std::string& fields) {
  auto list = parse_rules("rules.json", "[{" + fields + "}]");
  EXPECT_TRUE(list.ok()) << list.status().text();
  return list.ok() ? list->rules.at(0) : Rule();
}

std::string problems(const std::string& text) {
  const auto list = parse_rules("rules.json", text);
  return list.ok() ? "" : list.status().text();
}

TEST(Rules, EveryFieldOfAQuantizationRuleIsRead) {
  const Rule rule = one(R"("module_path": "fc\\d", "op_names": ["dot_general"], "weight_qtype": "int4",
      "act_qtype": "int8", "tile_size": 32, "act_static_scale": true, "weight_calibration_method": "rms,3",
      "act_calibration_method": "minmax", "act_batch_axes": [0, -1])");
  EXPECT_EQ(rule.module_path, "fc\\d");
  EXPECT_EQ(rule.op_names, std::vector<std::string>{"dot_general"});
  ASSERT_TRUE(rule.qwix.has_value());
  EXPECT_STREQ(rule.qwix->weight->name, "int4");
  EXPECT_STREQ(rule.qwix->activation->name, "int8");
  EXPECT_EQ(rule.qwix->tile_size, TileSize::of(32));
  EXPECT_TRUE(rule.qwix->static_activations);
  EXPECT_EQ(rule.qwix->weight_method.kind, CalibrationMethod::Kind::kRms);
  EXPECT_TRUE(rule.qwix->activation_method.asymmetric());
  EXPECT_EQ(rule.qwix->act_batch_axes, (std::vector<int64_t>{0, -1}));
}

TEST(Rules, DefaultsAreThoseOfTheReference) {
  const Rule rule = one("");
  EXPECT_EQ(rule.module_path, ".*");
  EXPECT_TRUE(rule.op_names.empty());
  EXPECT_EQ(rule.qwix->weight, nullptr);
  EXPECT_EQ(rule.qwix->activation, nullptr);
  EXPECT_FALSE(rule.qwix->tile_size.has_value());
  EXPECT_FALSE(rule.qwix->static_activations);
  EXPECT_EQ(rule.qwix->weight_method, CalibrationMethod{});
  EXPECT_EQ(rule.qwix->act_batch_axes, std::vector<int64_t>{0});
}

TEST(Rules, TileSizesAreElementsOrFractions) {
  EXPECT_EQ(one(R"("tile_size": 1)").qwix->tile_size, TileSize::of(1));
  EXPECT_EQ(one(R"("tile_size": 1.0)").qwix->tile_size, TileSize::of_axis(1.0));
  EXPECT_EQ(one(R"("tile_size": 0.25)").qwix->tile_size, TileSize::of_axis(0.25));
  EXPECT_FALSE(one(R"("tile_size": null)").qwix->tile_size.has_value());
  EXPECT_FALSE(one(R"("tile_size": 0)").qwix->tile_size.has_value());
}

TEST(Rules, BlockIntNeedsBlocksOfSignedIntegersAndIntegerActivations) {
  const std::string good = R"("weight_qtype": "int4", "act_qtype": "int8", "tile_size": 32, "block_int": true)";
  EXPECT_TRUE(one(good).qwix->block_int);
  EXPECT_FALSE(one(R"("weight_qtype": "int4")").qwix->block_int);
  const std::string text = problems(R"([
{"weight_qtype": "int4", "act_qtype": "int8", "block_int": true},
{"weight_qtype": "int4", "tile_size": 32, "block_int": true},
{"act_qtype": "int8", "tile_size": 32, "block_int": true},
{"weight_qtype": "nf4", "act_qtype": "int8", "tile_size": 32, "block_int": true},
{"weight_qtype": "int4", "act_qtype": "float8_e4m3fn", "tile_size": 32, "block_int": true},
{"weight_qtype": "int4", "act_qtype": "int8", "tile_size": 32, "block_int": true, "weight_calibration_method": "minmax"},
{"weight_qtype": "int4", "act_qtype": "int8", "tile_size": 32, "block_int": true, "weight_calibration_method": "fixed,1"},
{"weight_qtype": "int4", "act_qtype": "int8", "tile_size": 32, "block_int": 1},
{"weight_qtype": "int4", "act_qtype": "int8", "tile_size": 32, "blockint": true}])");
  EXPECT_THAT(text, HasSubstr("rules[0]: block_int: block_int needs the size of a block; set tile_size"));
  EXPECT_THAT(text, HasSubstr("rules[1]: block_int: block_int is set, but activations are not quantized"));
  EXPECT_THAT(text, HasSubstr("rules[2]: block_int: block_int is set, but weights are not quantized"));
  EXPECT_THAT(text, HasSubstr("rules[3]: block_int: block_int needs signed integer weights; weight_qtype is nf4"));
  EXPECT_THAT(text, HasSubstr("rules[4]: block_int: block_int needs integer activations"));
  EXPECT_THAT(text, HasSubstr("rules[5]: block_int: block_int needs a symmetric scale for every block"));
  EXPECT_THAT(text, HasSubstr("rules[6]: block_int: block_int needs a symmetric scale for every block"));
  EXPECT_THAT(text, HasSubstr("rules[7]: block_int: expected"));
  EXPECT_THAT(text, HasSubstr("unknown field 'blockint'; did you mean 'block_int'?"));
}

TEST(Rules, AnObjectWithTheListWorksToo) {
  const auto list = parse_rules("r", R"({"rules": [{"weight_qtype": "int8"}]})");
  ASSERT_TRUE(list.ok()) << list.status().text();
  EXPECT_EQ(list->rules.size(), 1u);
}

TEST(Rules, EveryProblemIsReportedWithItsPlace) {
  const std::string text = problems(R"([{"weight_qtpe": "int8"},
 {"weight_qtype": "int16", "act_qtype": "int9", "weight_calibration_method": "entropy"},
 {"module_path": "("}, {"act_static_scale": false}, {"op_names": "einsum"}, {"tile_size": "big"}])");
  EXPECT_THAT(text, HasSubstr("rules.json:1:3: rules[0]: unknown field 'weight_qtpe'; did you mean 'weight_qtype'?"));
  EXPECT_THAT(text, HasSubstr("rules.json:2:19: rules[1]: weight_qtype: 'int16' is wider than one byte"));
  EXPECT_THAT(text, HasSubstr("rules[1]: act_qtype: unknown type 'int9'; did you mean"));
  EXPECT_THAT(text, HasSubstr("rules[1]: weight_calibration_method: unknown calibration method 'entropy'"));
  EXPECT_THAT(text, HasSubstr("rules[2]: module_path: '(' is no regular expression"));
  EXPECT_THAT(text, HasSubstr("rules[3]: act_static_scale: act_static_scale is set, but activations are not"));
  EXPECT_THAT(text, HasSubstr("rules[4]: op_names: expected a list of strings, found a string; write [\"einsum\"]"));
  EXPECT_THAT(text, HasSubstr("rules[5]: tile_size: expected a number"));
}

TEST(Rules, OtherTypesAreKeptAsJsonOrRefused) {
  const auto list = parse_rules("r", R"([{"_type": "BrevitasRule", "module_path": "a", "weight_quant": "Int8"}])");
  ASSERT_TRUE(list.ok()) << list.status().text();
  EXPECT_FALSE(list->rules[0].qwix.has_value());
  ASSERT_NE(list->rules[0].json, nullptr);
  EXPECT_EQ(*list->rules[0].json->find("weight_quant")->string(), "Int8");
  EXPECT_THAT(problems(R"([{"_type": "QtRule"}])"), HasSubstr("unsupported: rules of type QtRule"));
  EXPECT_THAT(problems(R"([{"_type": "BrevitaRule"}])"), HasSubstr("did you mean 'BrevitasRule'?"));
}

TEST(Rules, DocumentsOfOtherShapesAreRefused) {
  EXPECT_THAT(problems("3"), HasSubstr("expected a list of rules"));
  EXPECT_THAT(problems("[3]"), HasSubstr("rules[0]"));
  EXPECT_THAT(problems("{}"), HasSubstr("rules"));
  EXPECT_THAT(problems("[{]"), HasSubstr("r"));
}

}  // namespace
}  // namespace qlathe
