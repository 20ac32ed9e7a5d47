#include <gtest/gtest.h>

#include "frontend/ops/contraction.h"
#include "tests/passes/random_graph.h"

namespace qlathe::testing {
namespace {

TEST(Canonicalize, EveryDotGeneralKeepsItsBits) {
  for (uint64_t seed = 0; seed < 400; seed++) {
    SCOPED_TRACE(seed);
    GraphGrower grower(seed);
    grower.output(grower.dot_general());
    const Graph after = expect_same_bits(grower.graph, {"canonicalize"}, seed);
    EXPECT_EQ(count_ops(after, "dot_general"), 0);
    EXPECT_EQ(count_ops(after, "contraction"), 1);
    if (HasFailure()) return;
  }
}

TEST(Canonicalize, EveryConvKeepsItsBits) {
  int depthwise = 0;
  for (uint64_t seed = 0; seed < 400; seed++) {
    SCOPED_TRACE(seed);
    GraphGrower grower(seed);
    grower.output(grower.conv());
    const Graph after = expect_same_bits(grower.graph, {"canonicalize"}, seed);
    EXPECT_EQ(count_ops(after, "conv"), 0);
    EXPECT_EQ(count_ops(after, "contraction") + count_ops(after, "depthwise"), 1);
    depthwise += count_ops(after, "depthwise");
    if (HasFailure()) return;
  }
  EXPECT_GT(depthwise, 20);
}

Graph linear(std::vector<int64_t> output_permutation, bool weight_first) {
  Graph graph;
  const TensorId x = graph.add_input("x", {ValueType::kF32, {5, 3, 8}});
  const TensorId w = graph.add_constant("w", HostTensor(ValueType::kF32, {8, 16}));
  DotGeneralAttrs attrs;
  attrs.lhs_contracting = {weight_first ? 0 : 2};
  attrs.rhs_contracting = {weight_first ? 2 : 0};
  attrs.output_permutation = std::move(output_permutation);
  auto y = graph.add("dot_general", weight_first ? std::vector<TensorId>{w, x} : std::vector<TensorId>{x, w},
                     std::make_shared<DotGeneralAttrs>(attrs), {.name = "fc", .module_path = "net/fc"});
  QL_CHECK(y.ok(), y.status().text());
  graph.outputs = {*y};
  return graph;
}

TEST(Canonicalize, ALinearLayerTransposesItsWeightsOnly) {
  const Graph after = expect_same_bits(linear({}, false), {"canonicalize", "fold_constants", "merge_views"}, 1);
  EXPECT_EQ(count_ops(after, "transpose"), 0);
  EXPECT_EQ(count_ops(after, "contraction"), 1);
  EXPECT_EQ(after.nodes.size(), 3u);  // reshape, contraction, reshape
}

TEST(Canonicalize, OperandsAreExchangedWhereThatSavesTheTranspose) {
  // w [8, 16] . x [5, 3, 8] gives [16, 5, 3]; wanted as [5, 3, 16].
  const Graph after = expect_same_bits(linear({1, 2, 0}, true), {"canonicalize", "fold_constants", "merge_views"}, 1);
  EXPECT_EQ(count_ops(after, "transpose"), 0);
}

TEST(Canonicalize, KeepsTheOriginOnTheContraction) {
  const Graph after = expect_same_bits(linear({}, false), {"canonicalize", "fold_constants", "merge_views"}, 1);
  for (const Node& node : after.nodes) {
    if (node.op != "contraction") continue;
    EXPECT_EQ(node.origin.name, "fc");
    EXPECT_EQ(node.origin.module_path, "net/fc");
  }
}

}  // namespace
}  // namespace qlathe::testing
