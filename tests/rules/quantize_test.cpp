// The quantize pass on small graphs, without reference data.
#include "frontend/rules/quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "frontend/formats/spec/spec.h"
#include "frontend/numerics/convert.h"
#include "frontend/numerics/quantize.h"
#include "frontend/ops/contraction.h"
#include "frontend/reference/reference_executor.h"
#include "frontend/rules/calibrate.h"

namespace qlathe {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

HostTensor ramp(Shape shape, float step) {
  HostTensor out(ValueType::kF32, std::move(shape));
  float value = -0.7f;
  for (float& element : out.as<float>()) {
    element = value;
    value = value > 1 ? value - 2.1f + step : value + step;
  }
  return out;
}

/// x [4, 8] -> fc1 [8, 6] -> relu -> fc2 [6, 3].
Graph perceptron() {
  auto document = parse_json("spec.json", R"({"inputs": [{"name": "x", "shape": [4, 8]}],
    "nodes": [{"op": "linear", "id": "h", "module": "fc1"}, {"op": "relu", "id": "r"},
              {"op": "linear", "id": "y", "module": "fc2"}]})");
  EXPECT_TRUE(document.ok()) << document.status().text();
  const auto shared = std::make_shared<const JsonDocument>(std::move(*document));
  const MemoryWeights weights({{"fc1/kernel", ramp({8, 6}, 0.13f)}, {"fc2/kernel", ramp({6, 3}, 0.29f)}});
  auto model = read_spec_model(shared, shared->root, weights, {});
  EXPECT_TRUE(model.ok()) << model.status().text();
  return std::move(model->graph);
}

RuleList rules(const std::string& text) {
  auto list = parse_rules("rules.json", text);
  EXPECT_TRUE(list.ok()) << list.status().text();
  return std::move(*list);
}

int count_ops(const Graph& graph, const std::string& op) {
  return static_cast<int>(
      std::count_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) { return node.op == op; }));
}

HostTensor output_of(const Graph& graph) {
  auto outputs = run_reference(graph, {ramp({4, 8}, 0.31f)});
  EXPECT_TRUE(outputs.ok()) << outputs.status().text();
  return outputs.ok() ? outputs->at(0) : HostTensor();
}

TEST(Quantize, OpsWithoutARuleOrWithoutAWeightTypeAreLeftAlone) {
  const Graph graph = perceptron();
  for (const char* text : {"[]", R"([{"module_path": "other", "weight_qtype": "int8"}])", R"([{"act_qtype": "int8"}])",
                           R"([{"op_names": ["einsum"], "weight_qtype": "int8"}])"}) {
    const auto quantized = quantize(graph, rules(text));
    ASSERT_TRUE(quantized.ok()) << quantized.status().text();
    EXPECT_TRUE(quantized->ops.empty()) << text;
    EXPECT_EQ(output_of(quantized->graph), output_of(graph)) << text;
  }
}

TEST(Quantize, IntegerProductsCarryScalesAndNoFloatWeights) {
  const auto quantized = quantize(perceptron(), rules(R"([{"weight_qtype": "int4", "act_qtype": "int8"}])"));
  ASSERT_TRUE(quantized.ok()) << quantized.status().text();
  EXPECT_TRUE(verify(quantized->graph).ok()) << verify(quantized->graph).text();
  ASSERT_EQ(quantized->ops.size(), 2u);
  for (const OpReport& op : quantized->ops) {
    EXPECT_TRUE(op.integer_path);
    EXPECT_TRUE(op.rhs->weight);
    EXPECT_FALSE(op.lhs->is_static);
    EXPECT_EQ(quantized->graph[op.rhs->values].type.type, ValueType::kI4);
  }
  EXPECT_FALSE(quantized->graph.find("fc1/kernel").valid());
  EXPECT_TRUE(quantized->graph.find("fc1/kernel.qvalue").valid());
  const Node& product =
      quantized->graph.nodes[static_cast<size_t>(quantized->graph.producer(quantized->ops[0].result))];
  EXPECT_EQ(product.as<DotGeneralAttrs>().accumulator, ValueType::kI32);
  EXPECT_EQ(product.origin.module_path, "fc1");
}

TEST(Quantize, TheResultKeepsItsName) {
  const auto quantized = quantize(perceptron(), rules(R"([{"weight_qtype": "int8"}])"));
  ASSERT_TRUE(quantized.ok());
  EXPECT_EQ(quantized->graph[quantized->graph.outputs[0]].name, "y");
}

TEST(Quantize, QuantizingTwiceChangesNothing) {
  const RuleList list = rules(R"([{"weight_qtype": "int8", "act_qtype": "int8"}])");
  const auto once = quantize(perceptron(), list);
  ASSERT_TRUE(once.ok());
  const auto twice = quantize(once->graph, list);
  ASSERT_TRUE(twice.ok()) << twice.status().text();
  EXPECT_TRUE(twice->ops.empty());
  EXPECT_EQ(output_of(twice->graph), output_of(once->graph));
}

TEST(Quantize, AnActivationThatTwoOpsReadIsQuantizedOnce) {
  auto document = parse_json("spec.json", R"({"inputs": [{"name": "x", "shape": [4, 8]}],
    "nodes": [{"op": "linear", "id": "q", "module": "q", "inputs": ["x"]},
              {"op": "linear", "id": "k", "module": "k", "inputs": ["x"]}], "outputs": ["q", "k"]})");
  const auto shared = std::make_shared<const JsonDocument>(std::move(*document));
  const MemoryWeights weights({{"q/kernel", ramp({8, 6}, 0.13f)}, {"k/kernel", ramp({8, 6}, 0.29f)}});
  const auto model = read_spec_model(shared, shared->root, weights, {});
  ASSERT_TRUE(model.ok()) << model.status().text();
  const auto quantized = quantize(model->graph, rules(R"([{"weight_qtype": "int8", "act_qtype": "int8"}])"));
  ASSERT_TRUE(quantized.ok());
  EXPECT_EQ(count_ops(quantized->graph, "reduce"), 1);
  EXPECT_EQ(quantized->ops[0].lhs->values, quantized->ops[1].lhs->values);
}

TEST(Quantize, ActivationsOfEveryFormatAreWhatTheTensorFunctionsGiveInEveryFloatType) {
  for (const ValueType type : {ValueType::kF32, ValueType::kBF16, ValueType::kF16}) {
    for (const char* format : {"mxfp8", "mxfp4", "nvfp4"}) {
      SCOPED_TRACE(std::string(format) + " of " + name(type));
      auto document =
          parse_json("spec.json", std::string(R"({"inputs": [{"name": "x", "shape": [4, 64], "type": ")") + name(type) +
                                      R"("}], "nodes": [{"op": "linear", "id": "y", "module": "fc"}]})");
      const auto shared = std::make_shared<const JsonDocument>(std::move(*document));
      HostTensor x = ramp({4, 64}, 0.313f);
      for (int64_t i = 0; i < x.size(); i++)  // scales over many binades, a power of two among them
        x.as<float>()[static_cast<size_t>(i)] *= std::ldexp(1.0f, static_cast<int>(i / 32) * 3 - 9);
      x.as<float>()[0] = 448.0f / 512;
      x = from_floats(type, x.shape(), to_floats(x));
      const HostTensor kernel = from_floats(type, {64, 3}, to_floats(ramp({64, 3}, 0.13f)));
      const auto model = read_spec_model(shared, shared->root, MemoryWeights({{"fc/kernel", kernel}}), {});
      ASSERT_TRUE(model.ok()) << model.status().text();
      const int tile = format == std::string("nvfp4") ? 16 : 32;
      auto quantized =
          quantize(model->graph, rules(std::string(R"([{"weight_qtype": ")") + format + R"(", "act_qtype": ")" +
                                       format + R"(", "tile_size": )" + std::to_string(tile) + "}]"));
      ASSERT_TRUE(quantized.ok()) << quantized.status().text();
      const OperandReport& lhs = *quantized->ops.at(0).lhs;
      const auto expected = quantize(x, lhs.how);
      ASSERT_TRUE(expected.ok()) << expected.status().text();
      quantized->graph.outputs = {lhs.values, lhs.scale};
      const auto found = run_reference(quantized->graph, {x});
      ASSERT_TRUE(found.ok()) << found.status().text();
      EXPECT_EQ(found->at(0), expected->values);
      EXPECT_EQ(found->at(1), expected->scale);
    }
  }
}

TEST(Quantize, AConvolutionOfNf4IsTheFloatConvolutionOfTheDequantizedOperands) {
  const char* spec = R"({"inputs": [{"name": "x", "shape": [2, 5, 5, 3]}],
    "nodes": [{"op": "conv", "id": "y", "module": "c"}]})";
  const auto model_of = [&](HostTensor kernel) {
    const auto shared = std::make_shared<const JsonDocument>(*parse_json("spec.json", spec));
    auto model = read_spec_model(shared, shared->root, MemoryWeights({{"c/kernel", std::move(kernel)}}), {});
    EXPECT_TRUE(model.ok()) << model.status().text();
    return std::move(model->graph);
  };
  const HostTensor kernel = ramp({3, 3, 3, 4}, 0.17f), x = ramp({2, 5, 5, 3}, 0.31f);
  const auto quantized = quantize(model_of(kernel), rules(R"([{"weight_qtype": "nf4", "act_qtype": "nf4"}])"));
  ASSERT_TRUE(quantized.ok()) << quantized.status().text();
  const OpReport& report = quantized->ops.at(0);
  EXPECT_FALSE(report.integer_path);
  EXPECT_EQ(quantized->graph[report.lhs->values].type.type, ValueType::kNF4);
  const auto rounded = [](const HostTensor& tensor, const HowToQuantize& how) {
    const auto q = quantize(tensor, how);
    EXPECT_TRUE(q.ok()) << q.status().text();
    return *dequantize(q->values, q->scale, nullptr);
  };
  const auto expected = run_reference(model_of(rounded(kernel, report.rhs->how)), {rounded(x, report.lhs->how)});
  const auto found = run_reference(quantized->graph, {x});
  ASSERT_TRUE(expected.ok() && found.ok()) << expected.status().text() << found.status().text();
  EXPECT_EQ(found->at(0), expected->at(0));
  EXPECT_NE(found->at(0), run_reference(model_of(kernel), {x})->at(0));
}

TEST(Quantize, StaticActivationsNeedStatistics) {
  const RuleList list = rules(R"([{"weight_qtype": "int8", "act_qtype": "int8", "act_static_scale": true}])");
  const auto without = quantize(perceptron(), list);
  EXPECT_THAT(without.status().text(), HasSubstr("fc1/dot_general0_lhs: no statistics for a static activation"));
  EXPECT_THAT(without.status().text(), HasSubstr("fc2/dot_general0_lhs: no statistics for a static activation"));

  ReferenceExecutor executor;
  const auto stats =
      calibrate(perceptron(), list, batches_of({{ramp({4, 8}, 0.31f)}, {ramp({4, 8}, 0.17f)}}), executor);
  ASSERT_TRUE(stats.ok()) << stats.status().text();
  QuantizeOptions options;
  options.statistics = &*stats;
  const auto with = quantize(perceptron(), list, options);
  ASSERT_TRUE(with.ok()) << with.status().text();
  EXPECT_EQ(count_ops(with->graph, "reduce"), 0);
  EXPECT_TRUE(with->graph.find("fc2/dot_general0_lhs_scale").valid());
}

TEST(Quantize, StatisticsOfTheOtherKindOrOfAnotherRuleListAreRefused) {
  const RuleList absmax = rules(R"([{"weight_qtype": "int8", "act_qtype": "int8", "act_static_scale": true}])");
  const RuleList minmax = rules(
      R"([{"weight_qtype": "int8", "act_qtype": "int8", "act_static_scale": true, "act_calibration_method": "minmax"}])");
  ReferenceExecutor executor;
  const auto stats = calibrate(perceptron(), absmax, batches_of({{ramp({4, 8}, 0.31f)}}), executor);
  ASSERT_TRUE(stats.ok());
  QuantizeOptions options;
  options.statistics = &*stats;
  EXPECT_THAT(quantize(perceptron(), minmax, options).status().text(), HasSubstr("the statistics are a largest value"));
  const RuleList dynamic = rules(R"([{"weight_qtype": "int8", "act_qtype": "int8"}])");
  EXPECT_THAT(quantize(perceptron(), dynamic, options).status().text(),
              HasSubstr("statistics that no static activation has"));
  options.allow_extra_params = true;
  EXPECT_TRUE(quantize(perceptron(), dynamic, options).ok());
}

TEST(Quantize, CalibrationOnTheFloatModelDiffersFromThatOnTheQuantizedOne) {
  const RuleList list = rules(R"([{"weight_qtype": "int2", "act_qtype": "int8", "act_static_scale": true}])");
  ReferenceExecutor executor;
  CalibrateOptions as_float;
  as_float.forward = CalibrationForward::kFloat;
  size_t steps = 0;
  as_float.progress = [&](size_t done, size_t total) { steps = done * 10 + total; };
  const Batches batches = batches_of({{ramp({4, 8}, 0.31f)}});
  const auto quantized = calibrate(perceptron(), list, batches, executor);
  const auto floats = calibrate(perceptron(), list, batches, executor, as_float);
  ASSERT_TRUE(quantized.ok() && floats.ok());
  EXPECT_EQ(steps, 11u);
  EXPECT_EQ(quantized->at("fc1/dot_general0_lhs").sums.absmax, floats->at("fc1/dot_general0_lhs").sums.absmax);
  EXPECT_NE(quantized->at("fc2/dot_general0_lhs").sums.absmax, floats->at("fc2/dot_general0_lhs").sums.absmax);
}

TEST(Quantize, WeightsThatAreQuantizedAlreadyAreUsedAsTheyAre) {
  const RuleList list = rules(R"([{"weight_qtype": "int8", "act_qtype": "int8"}])");
  const Graph graph = perceptron();
  const auto plain = quantize(graph, list);
  ASSERT_TRUE(plain.ok());
  QuantizeOptions options;
  const HostTensor& values = *plain->graph[plain->graph.find("fc1/kernel.qvalue")].data;
  const HostTensor& scale = *plain->graph[plain->graph.find("fc1/kernel.scale")].data;
  options.params["fc1/kernel"] = {nullptr, values, scale, std::nullopt};
  auto given = quantize(graph, list, options);
  ASSERT_TRUE(given.ok()) << given.status().text();
  EXPECT_EQ(output_of(given->graph), output_of(plain->graph));

  options.params["fc9/kernel"] = options.params["fc1/kernel"];
  EXPECT_THAT(quantize(graph, list, options).status().text(),
              HasSubstr("fc9/kernel: a quantized parameter that no quantized op reads"));
  options.allow_extra_params = true;
  EXPECT_TRUE(quantize(graph, list, options).ok());
}

TEST(Quantize, GivenWeightsMustBeWhatTheRuleAsksFor) {
  const RuleList list = rules(R"([{"weight_qtype": "int4"}])");
  const auto problem = [&](HostTensor values, HostTensor scale, std::optional<HostTensor> zero_point = std::nullopt) {
    QuantizeOptions options;
    options.params["fc1/kernel"] = {nullptr, std::move(values), std::move(scale), std::move(zero_point)};
    return quantize(perceptron(), list, options).status().text();
  };
  const HostTensor scale(ValueType::kF32, {1, 6});
  EXPECT_THAT(problem(HostTensor(ValueType::kI8, {8, 6}), scale), HasSubstr("is int8, the rule says int4"));
  EXPECT_THAT(problem(HostTensor(ValueType::kI4, {8, 5}), scale), HasSubstr("has shape 8x5, the weight 8x6"));
  EXPECT_THAT(problem(HostTensor(ValueType::kI4, {8, 6}), HostTensor(ValueType::kF32, {2, 6})),
              HasSubstr("has a scale of shape 2x6 without zero points, the rule asks for a scale of shape 1x6"));
  EXPECT_THAT(problem(HostTensor(ValueType::kI4, {8, 6}), scale, HostTensor(ValueType::kI4, {1, 6})),
              HasSubstr("with zero points, the rule asks for"));
}

TEST(Quantize, WeightsWithNanOrInfinityAreRefused) {
  Graph graph = perceptron();
  auto spoiled = std::make_shared<HostTensor>(*graph[graph.find("fc2/kernel")].data);
  spoiled->as<float>()[4] = NAN;
  graph[graph.find("fc2/kernel")].data = spoiled;
  const auto quantized = quantize(graph, rules(R"([{"weight_qtype": "int8"}])"));
  EXPECT_THAT(quantized.status().text(), HasSubstr("fc2/kernel: element 4 of the weight is NaN"));
}

TEST(Quantize, ProblemsOfAllOpsAreReportedTogether) {
  const auto quantized =
      quantize(perceptron(), rules(R"([{"module_path": "fc1", "weight_qtype": "int8", "tile_size": 3},
                              {"weight_qtype": "nf4", "weight_calibration_method": "minmax"}])"));
  EXPECT_THAT(quantized.status().text(), HasSubstr("h: tile_size: tile size 3 does not divide axis 0 of shape 8x6"));
  EXPECT_THAT(quantized.status().text(), HasSubstr("y: weight_calibration_method: nf4 has no zero point"));
}

TEST(Quantize, TilesBelow128AreDequantizedFirstAndOthersSummedApart) {
  const auto small =
      quantize(perceptron(), rules(R"([{"weight_qtype": "int8", "act_qtype": "int8", "tile_size": 2}])"));
  ASSERT_TRUE(small.ok()) << small.status().text();
  EXPECT_FALSE(small->ops[0].integer_path);
  const auto whole =
      quantize(perceptron(), rules(R"([{"weight_qtype": "int8", "act_qtype": "int8", "tile_size": 1.0}])"));
  ASSERT_TRUE(whole.ok()) << whole.status().text();
  EXPECT_TRUE(whole->ops[0].integer_path);
}

TEST(Quantize, BlockIntSumsIntegersToTheEndAndScalesOnce) {
  const Graph graph = perceptron();
  const auto quantized =
      quantize(graph, rules(R"([{"weight_qtype": "int4", "act_qtype": "int8", "tile_size": 2, "block_int": true}])"));
  ASSERT_TRUE(quantized.ok()) << quantized.status().text();
  EXPECT_TRUE(verify(quantized->graph).ok()) << verify(quantized->graph).text();
  ASSERT_EQ(quantized->ops.size(), 2u);
  const Graph& g = quantized->graph;
  for (const OpReport& op : quantized->ops) {
    EXPECT_TRUE(op.integer_path);
    const Shape& shape = g[op.rhs->values].shape();
    EXPECT_EQ(g[op.rhs->multiplier].type, (TensorType{ValueType::kU8, {shape[0] / 2, shape[1]}}));
    EXPECT_EQ(g[op.rhs->scale].shape(), (Shape{1, shape[1]}));
    EXPECT_EQ(g[op.lhs->scale].shape(), (Shape{4, 1})) << "one scale a row";
  }
  // The meaning: x * (q * multiplier) in integers, times the row's scale, times the channel's.
  const OpReport& op = quantized->ops[0];
  Graph first = g;
  first.outputs = {op.result, op.lhs->values, op.lhs->scale};
  const auto results = run_reference(first, {ramp({4, 8}, 0.31f)});
  ASSERT_TRUE(results.ok()) << results.status().text();
  const HostTensor &x = results->at(1), &w = *g[op.rhs->values].data, &m = *g[op.rhs->multiplier].data;
  for (int64_t row = 0; row < 4; row++) {
    for (int64_t n = 0; n < 6; n++) {
      int64_t sum = 0;
      for (int64_t k = 0; k < 8; k++)
        sum += x.int_at(row * 8 + k) * w.int_at(k * 6 + n) * m.int_at(k / 2 * 6 + n);
      const float expected = static_cast<float>(sum) * results->at(2).as<float>()[static_cast<size_t>(row)] *
                             g[op.rhs->scale].data->as<float>()[static_cast<size_t>(n)];
      EXPECT_EQ(results->at(0).as<float>()[static_cast<size_t>(row * 6 + n)], expected) << row << ", " << n;
    }
  }
}

TEST(Quantize, BlockIntKeepsResultsCloseToSubChannelScales) {
  const Graph graph = perceptron();
  const auto error = [&](const std::string& text) {
    const auto quantized = quantize(graph, rules(text));
    EXPECT_TRUE(quantized.ok()) << quantized.status().text();
    const HostTensor exact = output_of(graph), out = output_of(quantized->graph);
    double sum = 0;
    for (size_t i = 0; i < out.as<float>().size(); i++)
      sum += std::pow(exact.as<float>()[i] - out.as<float>()[i], 2);
    return std::sqrt(sum);
  };
  const double blocks = error(R"([{"weight_qtype": "int4", "act_qtype": "int8", "tile_size": 2, "block_int": true}])");
  const double scales = error(R"([{"weight_qtype": "int4", "act_qtype": "int8", "tile_size": 2}])");
  EXPECT_LT(blocks, 1.2 * scales);
}

TEST(Quantize, BlockIntTakesInt64WhereInt32CouldOverflow) {
  auto document = parse_json("spec.json", R"({"inputs": [{"name": "x", "shape": [1, 2048]}],
    "nodes": [{"op": "linear", "id": "y", "module": "fc"}]})");
  ASSERT_TRUE(document.ok());
  const auto shared = std::make_shared<const JsonDocument>(std::move(*document));
  HostTensor ones(ValueType::kF32, {2048, 2});
  for (float& v : ones.as<float>())
    v = 1;
  auto model = read_spec_model(shared, shared->root, MemoryWeights({{"fc/kernel", ones}}), {});
  ASSERT_TRUE(model.ok()) << model.status().text();
  // 2048 * 127 * 255 * 128 is above 2^31; of 4 bits 2048 * 7 * 255 * 128 is not.
  for (const auto& [type, accumulator] : {std::pair("int8", ValueType::kI64), std::pair("int4", ValueType::kI32)}) {
    const auto quantized =
        quantize(model->graph, rules(std::string(R"([{"weight_qtype": ")") + type +
                                     R"(", "act_qtype": "int8", "tile_size": 32, "block_int": true}])"));
    ASSERT_TRUE(quantized.ok()) << quantized.status().text();
    for (const Node& node : quantized->graph.nodes) {
      if (node.op == "dot_general") {
        EXPECT_EQ(node.as<DotGeneralAttrs>().accumulator, accumulator) << type;
      }
    }
  }
}

TEST(Quantize, BlockIntOfAGivenWeightIsRefused) {
  QuantizeOptions options;
  HowToQuantize how{parse_quant_format("int4").value(), {}, {1}, {{0, TileSize::of(2)}}};
  options.params["fc1/kernel"] = quantize(ramp({8, 6}, 0.13f), how).value();
  const auto quantized =
      quantize(perceptron(),
               rules(R"([{"weight_qtype": "int4", "act_qtype": "int8", "tile_size": 2, "block_int": true}])"), options);
  EXPECT_THAT(quantized.status().text(), HasSubstr("fc1/kernel"));
  EXPECT_THAT(quantized.status().text(), HasSubstr("has no block multipliers"));
}

TEST(Statistics, DamagedFilesAreRefusedWithTheirPlace) {
  const auto problem = [](const std::string& text) {
    const auto stats = parse_statistics("s.json", text);
    return stats.ok() ? "" : stats.status().text();
  };
  EXPECT_THAT(problem("[]"), HasSubstr("s.json:1:1: expected an object of statistics"));
  EXPECT_THAT(problem(R"({"a": {"count": 0, "sum_of_absmax": {"shape": [1], "values": [1]}}})"), HasSubstr("count"));
  EXPECT_THAT(problem(R"({"a": {"count": 1}})"), HasSubstr("needs either sum_of_absmax"));
  EXPECT_THAT(problem(R"({"a": {"count": 1, "sum_of_absmax": {"shape": [2], "values": [1]}}})"),
              HasSubstr("1 values for the shape 2"));
  EXPECT_THAT(problem(R"({"a": {"count": 1, "sum_of_absmax": {"shape": [99999999999, 99999999999], "values": []}}})"),
              HasSubstr("2^40"));
  EXPECT_THAT(problem(R"({"a": {"count": 1, "sum_of_absmax": {"shape": [1], "values": [1e300]}}})"),
              HasSubstr("float32"));
  EXPECT_THAT(problem(R"({"a": {"count": 1, "sum_of_max": {"shape": [1], "values": [1]}}})"),
              HasSubstr("needs either"));
  EXPECT_THAT(problem(R"({"a": {"count": 1, "sum": 3}})"), HasSubstr("unknown field 'sum'"));
  EXPECT_THAT(problem(R"({"a": {"count": 1, "sum_of_absmax": {"shape": [1], "values": [-1]}}})"),
              HasSubstr("negative"));
  EXPECT_THAT(problem(R"({"a": {"count": 1, "sum_of_max": {"shape": [1], "values": [1]},
                                "sum_of_min": {"shape": [1], "values": [2]}}})"),
              HasSubstr("is below sum_of_min"));
}

TEST(Quantize, StatisticsThatAreNotFiniteAreNamed) {
  const RuleList list = rules(R"([{"weight_qtype": "int8", "act_qtype": "int8", "act_static_scale": true}])");
  HostTensor x = ramp({4, 8}, 0.31f);
  x.as<float>()[3] = HUGE_VALF;
  ReferenceExecutor executor;
  const auto stats = calibrate(perceptron(), list, batches_of({{x}}), executor);
  EXPECT_THAT(stats.status().text(), HasSubstr("fc1/dot_general0_lhs: its statistics are NaN or infinite"));
}

TEST(Statistics, WhatIsWrittenReadsBackExactly) {
  QuantStats stats;
  stats["fc/dot_general0_lhs"] = {3, {HostTensor::of<float>(ValueType::kF32, {1, 3}, {0.1f, 1e-30f, -0.0f}), {}, {}}};
  stats["dot_general0_rhs"] = {1,
                               {{},
                                HostTensor::of<float>(ValueType::kF32, {1}, {-3.f}),
                                HostTensor::of<float>(ValueType::kF32, {1}, {16777217.f})}};
  const auto again = parse_statistics("s.json", write_statistics(stats));
  ASSERT_TRUE(again.ok()) << again.status().text();
  EXPECT_EQ(again->at("fc/dot_general0_lhs").count, 3);
  EXPECT_EQ(again->at("fc/dot_general0_lhs").sums.absmax, stats["fc/dot_general0_lhs"].sums.absmax);
  EXPECT_EQ(again->at("dot_general0_rhs").sums.lo, stats["dot_general0_rhs"].sums.lo);
  EXPECT_EQ(again->at("dot_general0_rhs").sums.hi, stats["dot_general0_rhs"].sums.hi);
}

}  // namespace
}  // namespace qlathe
