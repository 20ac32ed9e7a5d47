#include "codegen/native/jit_executor.h"

#include <gtest/gtest.h>

#include "frontend/ops/pointwise.h"
#include "frontend/reference/reference_executor.h"
#include "tests/support/compare.h"
#include "tests/support/random_tensor.h"

namespace qlathe {
namespace {

using testing::Random;

std::shared_ptr<PointwiseAttrs> steps(std::vector<PointwiseStep> list) {
  auto attrs = std::make_shared<PointwiseAttrs>();
  attrs->steps = std::move(list);
  return attrs;
}

PointwiseStep step(std::string op, std::vector<int64_t> operands = {}, ValueType type = ValueType::kF32) {
  PointwiseStep s;
  s.op = std::move(op);
  s.operands = std::move(operands);
  s.type = type;
  return s;
}

void expect_reference(const Graph& graph, const std::vector<HostTensor>& inputs) {
  Result<std::vector<HostTensor>> expected = run_reference(graph, inputs);
  ASSERT_TRUE(expected.ok()) << expected.status().text();
  JitExecutor executor;
  Result<std::unique_ptr<Executable>> executable = executor.prepare(graph);
  ASSERT_TRUE(executable.ok()) << executable.status().text();
  for (int run = 0; run < 2; run++) {
    Result<std::vector<HostTensor>> actual = (*executable)->run(inputs);
    ASSERT_TRUE(actual.ok()) << actual.status().text();
    EXPECT_TRUE(testing::same_bits(*actual, *expected)) << "run " << run;
  }
}

TEST(JitExecutor, QuantizeAndDequantizeEqualTheReferenceOnOddShapes) {
  Random random(3);
  for (const Shape& shape : {Shape{1}, Shape{7}, Shape{5, 33}, Shape{2, 3, 64}, Shape{64, 128}}) {
    Graph graph;
    const TensorId x = graph.add_input("x", {ValueType::kF32, shape});
    const TensorId scale = graph.add_constant("s", HostTensor::of<float>(ValueType::kF32, {1}, {0.0171f}));
    PointwiseStep quantize = step("quantize", {1}, ValueType::kI8);
    quantize.reciprocal = true;
    Result<TensorId> q = graph.add("pointwise", {x, scale}, steps({quantize}), {"q", "", "", ""});
    ASSERT_TRUE(q.ok()) << q.status().text();
    Result<TensorId> y = graph.add("pointwise", {*q, scale}, steps({step("dequantize", {1})}), {"y", "", "", ""});
    ASSERT_TRUE(y.ok()) << y.status().text();
    graph.outputs = {*q, *y};
    expect_reference(graph, {testing::random_tensor(random, ValueType::kF32, shape, 3.0f)});
  }
}

TEST(JitExecutor, BroadcastChainWithTiledScaleEqualsTheReference) {
  Random random(4);
  Graph graph;
  const TensorId x = graph.add_input("x", {ValueType::kF32, {6, 64}});
  const TensorId tiled = graph.add_input("tiled", {ValueType::kF32, {6, 4}});
  const TensorId row = graph.add_input("row", {ValueType::kF32, {64}});
  Result<TensorId> y = graph.add(
      "pointwise", {x, tiled, row},
      steps({step("mul", {1}), step("add", {2}), step("gelu_tanh"), step("sigmoid"), step("exp")}), {"y", "", "", ""});
  ASSERT_TRUE(y.ok()) << y.status().text();
  graph.outputs = {*y};
  expect_reference(graph, {testing::random_tensor(random, ValueType::kF32, {6, 64}, 4.0f),
                           testing::random_tensor(random, ValueType::kF32, {6, 4}, 4.0f),
                           testing::random_tensor(random, ValueType::kF32, {64}, 4.0f)});
}

TEST(JitExecutor, OutputThatIsAnInputIsCopied) {
  Random random(5);
  Graph graph;
  const TensorId x = graph.add_input("x", {ValueType::kI8, {3, 5}});
  graph.outputs = {x, x};
  expect_reference(graph, {testing::random_tensor(random, ValueType::kI8, {3, 5})});
}

TEST(JitExecutor, WrongInputsAreRefusedWithTheirNames) {
  Graph graph;
  graph.name = "copy";
  graph.outputs = {graph.add_input("pixels", {ValueType::kU8, {2, 2}})};
  JitExecutor executor;
  auto executable = executor.prepare(graph);
  ASSERT_TRUE(executable.ok()) << executable.status().text();
  const auto wrong = (*executable)->run({HostTensor(ValueType::kU8, {2, 3})});
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.status().text(), "pixels: is uint8[2x2], not uint8[2x3]");
}

}  // namespace
}  // namespace qlathe
