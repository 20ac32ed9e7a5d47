#include "frontend/reference/reference_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/ops/movement.h"
#include "frontend/ops/pointwise.h"
#include "tests/support/compare.h"

namespace qlathe::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

HostTensor f32(Shape shape, const std::vector<float>& values) {
  return HostTensor::of<float>(ValueType::kF32, std::move(shape), values);
}

std::shared_ptr<const OpAttrs> add_step() {
  PointwiseAttrs attrs;
  attrs.steps.emplace_back();
  attrs.steps[0].op = "add";
  attrs.steps[0].operands = {1};
  return std::make_shared<PointwiseAttrs>(attrs);
}

TensorId add(Graph& graph, const std::string& name, TensorId a, TensorId b) {
  auto sum = graph.add("pointwise", {a, b}, add_step(), {.name = name});
  QL_CHECK(sum.ok(), sum.status().text());
  return *sum;
}

/// total = x + previous total; the state starts at 10. A second output doubles the total.
Graph accumulator() {
  Graph graph;
  graph.name = "accumulator";
  const TensorId x = graph.add_input("x", {ValueType::kF32, {2}});
  const TensorId previous = graph.add_tensor("previous", {ValueType::kF32, {2}});
  const TensorId total = add(graph, "total", x, previous);
  const TensorId twice = add(graph, "twice", total, total);
  graph.outputs = {twice, total, x};
  graph.states.push_back({previous, total, std::make_shared<const HostTensor>(f32({2}, {10, 10}))});
  return graph;
}

std::unique_ptr<Executable> prepare(const Graph& graph, ReferenceExecutor::Observer observer = {}) {
  auto executable = ReferenceExecutor(std::move(observer)).prepare(graph);
  QL_CHECK(executable.ok(), executable.status().text());
  return std::move(executable).value();
}

TEST(ReferenceExecutor, StatesPersistUntilReset) {
  const auto run = prepare(accumulator());
  EXPECT_TRUE(same_bits((*run->run({f32({2}, {1, 2})}))[1], f32({2}, {11, 12})));
  EXPECT_TRUE(same_bits((*run->run({f32({2}, {1, 2})}))[1], f32({2}, {12, 14})));
  run->reset();
  EXPECT_TRUE(same_bits((*run->run({f32({2}, {0, 0})}))[1], f32({2}, {10, 10})));
}

TEST(ReferenceExecutor, ResultsComeInTheOrderOfTheGraphAndMayBeInputs) {
  const auto out = prepare(accumulator())->run({f32({2}, {1, 2})});
  ASSERT_TRUE(out.ok());
  EXPECT_TRUE(same_bits(*out, {f32({2}, {22, 24}), f32({2}, {11, 12}), f32({2}, {1, 2})}));
}

TEST(ReferenceExecutor, ExecutablesOfOneGraphHaveTheirOwnStates) {
  const Graph graph = accumulator();
  const auto one = prepare(graph), two = prepare(graph);
  ASSERT_TRUE(one->run({f32({2}, {5, 5})}).ok());
  EXPECT_TRUE(same_bits((*two->run({f32({2}, {0, 0})}))[1], f32({2}, {10, 10})));
}

TEST(ReferenceExecutor, NamesEveryWrongInput) {
  const auto run = prepare(accumulator());
  EXPECT_EQ(run->run({}).status().text(), "accumulator: inputs: 0 inputs were given, the model takes 1");
  EXPECT_EQ(run->run({f32({3}, {1, 2, 3})}).status().text(),
            "accumulator: input 'x': is float32[3], the model takes float32[2]; convert or reshape the data");
}

TEST(ReferenceExecutor, AFailedRunLeavesStatesAlone) {
  const auto run = prepare(accumulator());
  EXPECT_FALSE(run->run({f32({1}, {1})}).ok());
  EXPECT_TRUE(same_bits((*run->run({f32({2}, {0, 0})}))[1], f32({2}, {10, 10})));
}

TEST(ReferenceExecutor, ObserverSeesNodesInOrderWithOperandsAndResults) {
  std::vector<std::string> seen;
  const auto run = prepare(accumulator(), [&](const Node& node, const std::vector<const HostTensor*>& operands,
                                              const std::vector<const HostTensor*>& results) {
    seen.push_back(node.origin.name + " " + std::to_string(operands[0]->as<float>()[0]) + " " +
                   std::to_string(results[0]->as<float>()[0]));
  });
  ASSERT_TRUE(run->run({f32({2}, {1, 2})}).ok());
  EXPECT_THAT(seen, ElementsAre("total 1.000000 11.000000", "twice 11.000000 22.000000"));
}

TEST(ReferenceExecutor, RefusesAGraphThatDoesNotVerify) {
  Graph graph = accumulator();
  std::swap(graph.nodes[0], graph.nodes[1]);
  EXPECT_THAT(ReferenceExecutor().prepare(graph).status().text(), HasSubstr("used before it is computed"));
}

TEST(ReferenceExecutor, RefusesAStateWhoseInitialValueDoesNotFit) {
  Graph graph = accumulator();
  graph.states[0].initial = std::make_shared<const HostTensor>(f32({3}, {1, 2, 3}));
  EXPECT_THAT(ReferenceExecutor().prepare(graph).status().text(), HasSubstr("state 'previous'"));
}

}  // namespace
}  // namespace qlathe::testing
