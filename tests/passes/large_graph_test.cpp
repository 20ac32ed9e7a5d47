// Graphs of the size that imported networks have: what is quadratic in their nodes does not come to an end here.
#include <gtest/gtest.h>

#include "frontend/ir/text.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/pointwise.h"
#include "frontend/passes/pass_manager.h"

namespace qlathe {
namespace {

constexpr int kLayers = 20000;

/// Every layer adds a constant of its own, all under one wanted name, and goes through a reshape and back.
Graph long_chain() {
  Graph graph;
  graph.name = "chain";
  TensorId x = graph.add_input("x", {ValueType::kF32, {2, 3}});
  const auto add = [&](const std::string& op, std::vector<TensorId> inputs, std::shared_ptr<const OpAttrs> attrs) {
    auto result = graph.add(op, std::move(inputs), std::move(attrs), {"layer", "block/layer", "", ""});
    EXPECT_TRUE(result.ok()) << result.status().text();
    return result.ok() ? *result : kNone;
  };
  for (int i = 0; i < kLayers && x.valid(); i++) {
    PointwiseStep sum;
    sum.op = "add";
    sum.operands = {1};
    PointwiseAttrs attrs;
    attrs.steps = {sum};
    const TensorId constant = graph.add_constant("scalar", HostTensor::scalar(static_cast<float>(i)));
    x = add("pointwise", {x, constant}, std::make_shared<PointwiseAttrs>(attrs));
    ReshapeAttrs shape;
    shape.shape = i % 2 ? Shape{2, 3} : Shape{3, 2};
    // A transpose between the views keeps the layers apart.
    x = add("reshape", {x}, std::make_shared<ReshapeAttrs>(shape));
    TransposeAttrs turn;
    turn.permutation = {1, 0};
    x = add("transpose", {x}, std::make_shared<TransposeAttrs>(turn));
    ReshapeAttrs back;
    back.shape = {2, 3};
    x = add("reshape", {x}, std::make_shared<ReshapeAttrs>(back));
  }
  graph.outputs = {x};
  return graph;
}

TEST(LargeGraph, EveryPassComesToAnEnd) {
  const Graph graph = long_chain();
  ASSERT_EQ(graph.nodes.size(), size_t{4} * kLayers);
  const auto lowered = run_passes(graph, lowering_passes());
  ASSERT_TRUE(lowered.ok()) << lowered.status().text();
  EXPECT_TRUE(verify(*lowered).ok());
  EXPECT_LT(lowered->nodes.size(), graph.nodes.size());
}

TEST(LargeGraph, IsPrintedAndReadBack) {
  const Graph graph = long_chain();
  const std::string text = print_graph(graph).text;
  const auto again = parse_graph("chain.qlir", text, nullptr);
  ASSERT_TRUE(again.ok()) << again.status().text();
  EXPECT_EQ(print_graph(*again).text, text);
}

TEST(LargeGraph, NamesStayUniqueWhereManyTensorsWantTheSame) {
  Graph graph;
  const TensorId first = graph.add_input("x", {});
  const TensorId second = graph.add_input("x", {});
  EXPECT_EQ(graph[second].name, "x_1");
  graph.rename(first, "y");
  EXPECT_FALSE(graph.find("x").valid());
  EXPECT_EQ(graph.find("y"), first);
  EXPECT_EQ(graph[graph.add_input("x", {})].name, "x");
  EXPECT_EQ(graph[graph.add_input("x", {})].name, "x_2");
  graph.tensors.push_back({"x_3", {}, std::nullopt, nullptr});
  EXPECT_EQ(graph.find("x_3").index, 4);
  EXPECT_EQ(graph[graph.add_input("x", {})].name, "x_4");
}

}  // namespace
}  // namespace qlathe
