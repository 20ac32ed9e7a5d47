#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/ir/text.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/pointwise.h"
#include "frontend/passes/pass_manager.h"
#include "tests/passes/random_graph.h"

namespace qlathe::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Graphs of several branches over all ops.
Graph random_graph(uint64_t seed) {
  GraphGrower grower(seed);
  std::vector<TensorId> values{grower.to_float(grower.dot_general()), grower.conv(),
                               grower.source(ValueType::kF32, {2, 3, 4}, 0)};
  for (int i = 0; i < 14; i++) {
    const TensorId x = grower.random.pick(values);
    values.push_back(grower.random.chance(0.5) ? grower.pointwise(x) : grower.other(x));
  }
  for (size_t i = 3; i < values.size(); i += 4)
    grower.output(values[i]);
  grower.output(values.back());
  return grower.graph;
}

TEST(Passes, EachKeepsEveryBitOfRandomGraphs) {
  for (const std::string& pass : PassRegistry::names()) {
    if (!PassRegistry::find(pass)->keeps_bits) continue;
    for (uint64_t seed = 0; seed < 60; seed++) {
      SCOPED_TRACE(pass + " " + std::to_string(seed));
      expect_same_bits(random_graph(seed), {pass}, seed);
      if (HasFailure()) return;
    }
  }
}

TEST(Passes, TheLoweringPipelineKeepsEveryBitOfRandomGraphs) {
  for (uint64_t seed = 100; seed < 300; seed++) {
    SCOPED_TRACE(seed);
    const Graph after = expect_same_bits(random_graph(seed), lowering_passes(), seed);
    EXPECT_EQ(count_ops(after, "dot_general") + count_ops(after, "conv"), 0);
    if (HasFailure()) return;
  }
}

TEST(Passes, TheLoweringPipelineIsAtRestAfterOneRun) {
  for (uint64_t seed = 0; seed < 50; seed++) {
    SCOPED_TRACE(seed);
    const auto once = run_passes(random_graph(seed), lowering_passes());
    ASSERT_TRUE(once.ok()) << once.status().text();
    const auto twice = run_passes(*once, lowering_passes());
    ASSERT_TRUE(twice.ok()) << twice.status().text();
    EXPECT_EQ(print_graph(*twice).text, print_graph(*once).text);
  }
}

TEST(Passes, AnUnknownNameIsAnErrorWithASuggestion) {
  EXPECT_THAT(run_passes(Graph(), {"fold_constant"}).status().text(),
              HasSubstr("there is no pass 'fold_constant'; did you mean 'fold_constants'?"));
}

TEST(Passes, TheObserverSeesGraphsBeforeAndAfter) {
  std::vector<std::string> seen;
  const auto result = run_passes(random_graph(1), {"canonicalize", "remove_dead"},
                                 [&](const std::string& pass, const Graph& before, const Graph& after) {
                                   seen.push_back(pass + " " + std::to_string(count_ops(before, "conv")) + " " +
                                                  std::to_string(count_ops(after, "conv")));
                                 });
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(seen, ElementsAre("canonicalize 1 0", "remove_dead 0 0"));
}

TEST(Passes, NamesQuantizationsAndStatesSurvive) {
  Graph graph;
  const TensorId x = graph.add_input("x", {ValueType::kI8, {2, 3}});
  const TensorId scale = graph.add_constant("s", HostTensor::scalar(0.5f));
  graph[x].quantization = Quantization{scale, kNone, {2, 3}};
  const TensorId current = graph.add_tensor("h", {ValueType::kI8, {3, 2}});
  ReshapeAttrs reshape;
  reshape.shape = {3, 2};
  const auto view = graph.add("reshape", {x}, std::make_shared<ReshapeAttrs>(reshape), {.name = "view"});
  const auto copy = graph.add("pointwise", {*view}, std::make_shared<PointwiseAttrs>(), {.name = "copy"});
  const auto y = graph.add("reshape", {*copy}, std::make_shared<ReshapeAttrs>(reshape), {.name = "y"});
  graph[*y].quantization = Quantization{scale, kNone, {3, 2}};
  graph.outputs = {*y, current};
  graph.states.push_back({current, *view, std::make_shared<const HostTensor>(ValueType::kI8, Shape{3, 2})});
  const Graph after = expect_same_bits(graph, lowering_passes(), 1);
  EXPECT_EQ(after.states.size(), 1u);
  EXPECT_EQ(after[after.inputs[0]].name, "x");
  ASSERT_TRUE(after[after.inputs[0]].quantization.has_value());
  EXPECT_EQ(after[after[after.inputs[0]].quantization->scale].name, "s");
  ASSERT_TRUE(after[after.outputs[0]].quantization.has_value());
}

}  // namespace
}  // namespace qlathe::testing
