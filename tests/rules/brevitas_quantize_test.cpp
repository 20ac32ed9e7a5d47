#include "frontend/rules/brevitas_quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "frontend/ops/contraction.h"
#include "frontend/reference/reference_executor.h"
#include "tests/rules/layer_graph.h"

namespace qlathe {
namespace {

using ::testing::HasSubstr;

HostTensor floats(Shape shape, const std::vector<float>& values) {
  return HostTensor::of<float>(ValueType::kF32, std::move(shape), values);
}

// A linear layer 3 -> 2 and a relu.
const HostTensor kWeight = floats({2, 3}, {0.5f, -1.0f, 0.25f, 0.75f, 0.1f, -0.3f});
const HostTensor kBias = floats({2}, {0.125f, -0.2f});

Graph two_nodes() {
  testing::LayerGraph g({2, 3});
  return g.linear("fc", kWeight, &kBias).activation("act", "relu").finish();
}

Result<BrevitasResult> quantize(const Graph& graph, const std::string& rules, const CalibrationBatches& batches = {}) {
  const auto list = parse_rules("rules.json", rules);
  if (!list.ok()) return list.status();
  const auto targets = brevitas_targets(graph, *list);
  if (!targets.ok()) return targets.status();
  ReferenceExecutor executor;
  auto result = quantize_brevitas(graph, *targets, batches, executor);
  if (result.ok()) {
    EXPECT_TRUE(verify(result->graph).ok()) << verify(result->graph).text();
  }
  return result;
}

const Node& node_of(const Graph& graph, const std::string& op) {
  const auto at = std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) { return node.op == op; });
  EXPECT_NE(at, graph.nodes.end()) << op;
  return *at;
}

TEST(BrevitasSites, AreInputsLayersAndActivations) {
  const auto sites = brevitas_sites(two_nodes());
  ASSERT_EQ(sites.size(), 3u);
  EXPECT_EQ(sites[0].op + " " + sites[0].path, "input x");
  EXPECT_EQ(sites[1].op + " " + sites[1].path, "dot_general fc");
  EXPECT_EQ(sites[2].op + " " + sites[2].path, "relu act");
}

TEST(BrevitasSites, AnEarlierRuleOfAnotherTypeTakesItsSites) {
  const auto rules = parse_rules("r.json", R"([{"module_path": "fc", "weight_qtype": "int8"},
      {"_type": "BrevitasRule", "weight_quant": "Int8WeightPerTensorFloat"}])");
  ASSERT_TRUE(rules.ok()) << rules.status().text();
  const auto matches = match_brevitas_rules(two_nodes(), *rules);
  ASSERT_TRUE(matches.ok()) << matches.status().text();
  EXPECT_EQ((*matches)[1].rule, -1);
  EXPECT_EQ((*matches)[2].rule, 1);
}

TEST(BrevitasSites, RulesThatTakeInputsOrActivationsAreNotUnused) {
  const auto rules = parse_rules("r.json", R"([
      {"_type": "BrevitasRule", "op_names": ["input"], "act_quant": "Int8ActPerTensorFloat"},
      {"_type": "BrevitasRule", "module_path": "act", "act_quant": "Uint8ActPerTensorFloat"},
      {"_type": "BrevitasRule", "module_path": "other", "act_quant": "Uint8ActPerTensorFloat"},
      {"module_path": "fc", "weight_qtype": "int8"}])");
  ASSERT_TRUE(rules.ok()) << rules.status().text();
  const auto matches = match_rules(two_nodes(), *rules);
  ASSERT_TRUE(matches.ok()) << matches.status().text();
  EXPECT_EQ(matches->unused_rules, std::vector<int>{2});
}

TEST(BrevitasQuantize, WeightsAloneKeepAFloatProduct) {
  const auto result =
      quantize(two_nodes(), R"([{"_type": "BrevitasRule", "weight_quant": "Int8WeightPerTensorFloat"}])");
  ASSERT_TRUE(result.ok()) << result.status().text();
  const TensorId stored = result->graph.find("fc.kernel");
  ASSERT_TRUE(stored.valid());
  EXPECT_EQ(result->graph[stored].type.type, ValueType::kI8);
  EXPECT_EQ(result->graph[stored].shape(), (Shape{3, 2}));
  EXPECT_EQ(node_of(result->graph, "dot_general").as<DotGeneralAttrs>().accumulator, ValueType::kF32);
}

TEST(BrevitasQuantize, IntegersOnBothSidesAreSummedAsIntegers) {
  const auto result = quantize(two_nodes(), R"([{"_type": "BrevitasRule", "weight_quant": "Int8WeightPerChannelFloat",
      "act_quant": "Int8ActPerTensorFloat", "act_scale": 0.0625, "bias_quant": "Int32Bias"}])");
  ASSERT_TRUE(result.ok()) << result.status().text();
  const Node& product = node_of(result->graph, "dot_general");
  EXPECT_EQ(product.as<DotGeneralAttrs>().accumulator, ValueType::kI32);
  EXPECT_EQ(result->graph[product.inputs[kLhs]].type.type, ValueType::kI8);
  EXPECT_EQ(result->graph[product.inputs[kRhsScale]].shape(), (Shape{1, 2}));
  // Worked by hand for the first result: x = (1, 2, -0.5) -> (16, 32, -8); w = (63.5 -> 64, -127, 31.75 -> 32) / 127.
  const auto output = run_reference(result->graph, {floats({2, 3}, {1, 2, -0.5f, 0, 1, 0})});
  ASSERT_TRUE(output.ok()) << output.status().text();
  const float scale = 1.0f / 127.0f;
  const float bias = std::nearbyint(0.125f / (0.0625f * scale)) * (0.0625f * scale);
  const float second = (-127.0f * 16.0f) * 0.0625f * scale + bias;
  EXPECT_EQ(output->at(0).as<float>()[0], 0.0f);  // 16 * 64 - 32 * 127 - 8 * 32 < 0
  EXPECT_EQ(output->at(0).as<float>()[2], std::max(second, 0.0f));
}

TEST(BrevitasQuantize, OneRuleForAllQuantizesEachTensorOnce) {
  testing::LayerGraph g({2, 3});
  const HostTensor next = floats({1, 2}, {1, -1});
  const Graph graph = g.linear("a", kWeight, nullptr).activation("r", "relu").linear("b", next, nullptr).finish();
  const auto result = quantize(graph, R"([{"_type": "BrevitasRule", "weight_quant": "Int8WeightPerTensorFloat",
      "act_quant": "Int8ActPerTensorFloat", "act_scale": 0.5}])");
  ASSERT_TRUE(result.ok()) << result.status().text();
  EXPECT_EQ(result->activations.size(), 2u) << "the input and the relu; b's input comes quantized";
}

TEST(BrevitasQuantize, ZeroPointsReachTheProduct) {
  const auto result = quantize(two_nodes(), R"([{"_type": "BrevitasRule", "op_names": ["dot_general"],
      "weight_quant": "ShiftedUint8WeightPerChannelFloat",
      "act_quant": "ShiftedUint8ActPerTensorFloat", "act_scale": 0.0625, "act_zero_point": 100}])");
  ASSERT_TRUE(result.ok()) << result.status().text();
  const Node& product = node_of(result->graph, "dot_general");
  ASSERT_TRUE(product.inputs[kLhsZeroPoint].valid() && product.inputs[kRhsZeroPoint].valid());
  EXPECT_EQ(result->graph[product.inputs[kLhsZeroPoint]].data->int_at(0), 100);
  const auto output = run_reference(result->graph, {floats({2, 3}, {1, 2, -0.5f, 0, 1, 0})});
  ASSERT_TRUE(output.ok()) << output.status().text();
  EXPECT_NEAR(output->at(0).as<float>()[1], 0.75f + 0.2f + 0.15f - 0.2f, 0.01f);
}

TEST(BrevitasQuantize, GroupsOfAMatrixStayIntegers) {
  const auto result = quantize(two_nodes(), R"([{"_type": "BrevitasRule", "op_names": ["dot_general"],
      "weight_quant": "MXInt8Weight", "weight_group_size": 1,
      "act_quant": "Int8ActPerTensorFloat", "act_scale": 0.0625}])");
  ASSERT_TRUE(result.ok()) << result.status().text();
  const Node& product = node_of(result->graph, "dot_general");
  EXPECT_EQ(product.as<DotGeneralAttrs>().accumulator, ValueType::kI32);
  EXPECT_EQ(result->graph[product.inputs[kRhsScale]].shape(), (Shape{3, 2}));
}

TEST(BrevitasQuantize, EveryRoundingOfAnActivationIsItsNumerics) {
  const HostTensor x = floats({2, 3}, {-1.25f, -0.25f, 0.25f, 0.75f, 1.3f, -0.9f});  // halves of the scale among them
  for (const char* mode : {"round", "floor", "ceil", "round_to_zero", "dpu"}) {
    for (const char* quantizer : {"Int8ActPerTensorFloat", "ShiftedUint8ActPerTensorFloat"}) {
      testing::LayerGraph g({2, 3});
      const Graph graph = g.activation("act", "relu").finish();
      const std::string zero = quantizer[0] == 'S' ? R"(, "act_zero_point": 2)" : "";
      const auto result = quantize(graph, std::string(R"([{"_type": "BrevitasRule", "op_names": ["input"],
          "act_quant": ")") + quantizer + R"(", "act_bit_width": 3, "act_scale": 0.5, "act_rounding": ")" +
                                              mode + "\"" + zero + "}]");
      ASSERT_TRUE(result.ok()) << result.status().text();
      const auto output = run_reference(result->graph, {x});
      ASSERT_TRUE(output.ok()) << output.status().text();
      auto q = brevitas::find_quantizer(brevitas::Role::kAct, quantizer).value();
      q.bit_width = 3;
      q.rounding = brevitas::parse_round_mode(mode).value();
      const auto wanted = brevitas::quantize_activation(x, q, 0.5f, zero.empty() ? 0.0f : 2.0f);
      ASSERT_TRUE(wanted.ok());
      for (size_t i = 0; i < 6; i++) {
        const float value = std::max(wanted->dequantized.as<float>()[i], 0.0f);
        EXPECT_EQ(output->at(0).as<float>()[i], value) << mode << " " << quantizer << " element " << i;
      }
    }
  }
}

TEST(BrevitasQuantize, CalibrationSeesWhatIsBehindQuantizedLayers) {
  const std::string rules = R"([{"_type": "BrevitasRule", "act_quant": "Int8ActPerTensorFloat", "act_bit_width": 3,
      "op_names": ["input", "relu"]}])";
  testing::LayerGraph g({1, 3});
  const Graph graph = g.activation("act", "relu").finish();
  const auto result = quantize(graph, rules, {{floats({1, 3}, {0.6f, -0.3f, 1.0f})}, {floats({1, 3}, {2, 0, -1})}});
  ASSERT_TRUE(result.ok()) << result.status().text();
  ASSERT_EQ(result->activations.size(), 2u);
  const float input = (1.0f * 0.9f + 0.1f * 2.0f) / 4.0f;
  EXPECT_EQ(result->activations[0].scale, input);
  // The relu sees the batch quantized with the batch's own scale: 1 / 4 clips 1.0 to 0.75, and 2 / 4 clips 2.0 to 1.5.
  EXPECT_EQ(result->activations[1].scale, (0.75f * 0.9f + 0.1f * 1.5f) / 4.0f);
}

TEST(BrevitasQuantize, NothingToCalibrateWithIsAnErrorThatNamesTheTensor) {
  const auto result = quantize(two_nodes(), R"([{"_type": "BrevitasRule", "act_quant": "Int8ActPerTensorFloat"}])");
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.status().text(), HasSubstr("there is no calibration data"));
  EXPECT_THAT(result.status().text(), HasSubstr("x: act_quant"));
}

TEST(BrevitasQuantize, ABatchOfTheWrongShapeIsAUserError) {
  const auto result = quantize(two_nodes(), R"([{"_type": "BrevitasRule", "act_quant": "Int8ActPerTensorFloat"}])",
                               {{floats({2, 3}, {1, 2, 3, 4, 5, 6}), floats({1}, {1})}});
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.status().text(), HasSubstr("has 2 arrays"));
}

TEST(BrevitasQuantize, AccumulatorBiasesNeedAQuantizedInput) {
  const auto result = quantize(two_nodes(), R"([{"_type": "BrevitasRule", "weight_quant": "Int8WeightPerTensorFloat",
      "bias_quant": "Int32Bias"}])");
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.status().text(), HasSubstr("needs a quantized input and weight"));
}

TEST(BrevitasQuantize, ProblemsOfAllLayersAreReportedTogether) {
  testing::LayerGraph g({1, 2});
  const float nan = std::nanf("");
  const Graph graph =
      g.linear("a", floats({2, 2}, {nan, 1, 1, 1}), nullptr).linear("b", floats({1, 2}, {nan, 1}), nullptr).finish();
  const auto result = quantize(graph, R"([{"_type": "BrevitasRule", "weight_quant": "Int8WeightPerTensorFloat"}])");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().diagnostics().size(), 2u) << result.status().text();
}

}  // namespace
}  // namespace qlathe
