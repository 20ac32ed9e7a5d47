#include <gtest/gtest.h>

#include "frontend/ops/contraction.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/pointwise.h"
#include "frontend/ops/reduction.h"
#include "frontend/passes/operand_shape.h"
#include "frontend/passes/pass_manager.h"
#include "tests/passes/random_graph.h"

namespace qlathe::testing {
namespace {

PointwiseStep step(std::string op, std::vector<int64_t> operands = {}) {
  PointwiseStep s;
  s.op = std::move(op);
  s.operands = std::move(operands);
  return s;
}

TensorId pointwise(Graph& graph, std::vector<TensorId> inputs, std::vector<PointwiseStep> steps, std::string name) {
  PointwiseAttrs attrs;
  attrs.steps = std::move(steps);
  auto id =
      graph.add("pointwise", std::move(inputs), std::make_shared<PointwiseAttrs>(attrs), {.name = std::move(name)});
  QL_CHECK(id.ok(), id.status().text());
  return *id;
}

TensorId conv(Graph& graph, TensorId x, int64_t groups, int64_t out, const std::string& name) {
  const int64_t channels = graph[x].shape().back();
  Random random(7);
  const TensorId w =
      graph.add_constant(name + ".w", random_tensor(random, ValueType::kF32, {3, 3, channels / groups, out}, 0.5f));
  ConvAttrs attrs;
  attrs.strides = attrs.kernel_dilation = attrs.input_dilation = attrs.pad_lo = attrs.pad_hi = {1, 1};
  attrs.groups = groups;
  auto id = graph.add("conv", {x, w}, std::make_shared<ConvAttrs>(attrs), {.name = name});
  QL_CHECK(id.ok(), id.status().text());
  return *id;
}

TensorId vector_of(Graph& graph, int64_t n, const std::string& name) {
  Random random(9);
  return graph.add_constant(name, random_tensor(random, ValueType::kF32, {n}));
}

TEST(FuseEpilogues, BiasReluAndResidualEndUpInTheConvolution) {
  for (int64_t groups : {1, 2, 4}) {
    SCOPED_TRACE(groups);
    Graph graph;
    const TensorId x = graph.add_input("x", {ValueType::kF32, {1, 6, 6, 4}});
    const TensorId sum = conv(graph, x, groups, 4, "conv");
    const TensorId biased = pointwise(graph, {sum, vector_of(graph, 4, "b")}, {step("add", {1})}, "bias");
    const TensorId residual = pointwise(graph, {x, biased}, {step("sub", {1})}, "residual");
    graph.outputs = {pointwise(graph, {residual}, {step("relu")}, "relu")};
    const Graph after = expect_same_bits(graph, lowering_passes(), 3);
    EXPECT_EQ(count_ops(after, "pointwise"), 0);
    EXPECT_EQ(count_ops(after, groups == 4 ? "depthwise" : "contraction"), 1);
    EXPECT_EQ(after.nodes.back().origin.name, groups == 4 ? "conv" : "relu");
  }
}

TEST(FuseEpilogues, AResultUsedTwiceStays) {
  Graph graph;
  const TensorId x = graph.add_input("x", {ValueType::kF32, {1, 6, 6, 4}});
  const TensorId sum = conv(graph, x, 1, 4, "conv");
  const TensorId relu = pointwise(graph, {sum}, {step("relu")}, "relu");
  graph.outputs = {relu, sum};
  EXPECT_EQ(count_ops(expect_same_bits(graph, lowering_passes(), 3), "pointwise"), 1);
}

TEST(FuseEpilogues, AValueThatIsItsOwnOperandStays) {
  Graph graph;
  const TensorId x = graph.add_input("x", {ValueType::kF32, {1, 6, 6, 4}});
  graph.outputs = {pointwise(graph, {conv(graph, x, 1, 4, "conv")}, {step("sigmoid"), step("mul", {0})}, "silu")};
  EXPECT_EQ(count_ops(expect_same_bits(graph, lowering_passes(), 3), "pointwise"), 1);
}

TEST(FuseEpilogues, GrowingByBroadcastStays) {
  Graph graph;
  const TensorId x = graph.add_input("x", {ValueType::kF32, {1, 8}});
  const TensorId a = graph.add_input("a", {ValueType::kF32, {5, 8}});
  auto soft = graph.add("softmax", {x}, std::make_shared<SoftmaxAttrs>(), {.name = "soft"});
  graph.outputs = {pointwise(graph, {*soft, a}, {step("add", {1})}, "add")};
  EXPECT_EQ(count_ops(expect_same_bits(graph, lowering_passes(), 3), "pointwise"), 1);
}

TEST(FuseEpilogues, PointwiseChainsBecomeOneNode) {
  for (uint64_t seed = 0; seed < 200; seed++) {
    SCOPED_TRACE(seed);
    GraphGrower grower(seed);
    TensorId x = grower.source(ValueType::kF32, {2, 6, 4}, 0);
    for (int i = 0; i < 4; i++)
      x = grower.pointwise(x);
    grower.output(x);
    expect_same_bits(grower.graph, {"fuse_epilogues", "remove_dead"}, seed);
    if (HasFailure()) return;
  }
}

TEST(OperandShape, FollowsAReshapeOrRefuses) {
  using S = Shape;
  EXPECT_EQ(reshape_operand({8}, {5, 8}, {1, 1, 5, 1, 8}), (S{1, 1, 1, 1, 8}));
  EXPECT_EQ(reshape_operand({12}, {2, 3, 12}, {1, 2, 3, 4, 3}), (S{1, 1, 1, 4, 3}));
  EXPECT_EQ(reshape_operand({4}, {2, 12}, {2, 4, 3}), (S{1, 4, 1}));  // tiles of three
  EXPECT_EQ(reshape_operand({2}, {2, 12}, {2, 4, 3}), (S{1, 2, 1}));  // tiles of six: two rows of three
  EXPECT_EQ(reshape_operand({6}, {2, 12}, {2, 4, 3}), std::nullopt);  // tiles of two
  EXPECT_EQ(reshape_operand({5, 1}, {5, 8}, {40}), (S{5}));           // a value per run of eight
  EXPECT_EQ(reshape_operand({8}, {5, 8}, {40}), std::nullopt);        // repeats
  EXPECT_EQ(reshape_operand({5, 8}, {5, 8}, {40}), (S{40}));
  EXPECT_EQ(reshape_operand({4, 1}, {4, 6}, {6, 4}), std::nullopt);  // the cuts cross
  EXPECT_EQ(reshape_operand({1, 1}, {4, 6}, {6, 4}), (S{1, 1}));
}

}  // namespace
}  // namespace qlathe::testing
