// What is written as ONNX and read again means the same.
#include "frontend/formats/onnx/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/ops/contraction.h"
#include "frontend/ops/pointwise.h"
#include "frontend/ops/reduction.h"
#include "frontend/passes/pass_manager.h"
#include "frontend/reference/reference_executor.h"
#include "tests/onnx/model_builder.h"
#include "tests/support/compare.h"
#include "tests/support/random_tensor.h"

namespace qlathe {
namespace {

using ::testing::HasSubstr;
using testing::ModelBuilder;
using testing::set_ints;

PointwiseStep step(const char* op, ValueType type = ValueType::kF32, std::vector<int64_t> operands = {}) {
  PointwiseStep out;
  out.op = op;
  out.type = type;
  out.operands = std::move(operands);
  return out;
}

/// A layer as rules quantize it: x by one scale, weights by one a channel; then a bias, relu, and bits that Clip keeps.
Graph quantized_linear(ValueType weights, ValueType out) {
  testing::Random random(3);
  Graph graph;
  graph.name = "linear";
  const TensorId x = graph.add_input("x", {ValueType::kF32, {3, 8}});
  const TensorId s = graph.add_constant("s", HostTensor::of<float>(ValueType::kF32, {1, 1}, {0.02f}));
  const TensorId w = graph.add_constant("w", random_tensor(random, weights, {8, 5}));
  const TensorId ws =
      graph.add_constant("ws", HostTensor::of<float>(ValueType::kF32, {1, 5}, {0.01f, 0.02f, 0.03f, 0.005f, 0.01f}));
  const TensorId bias = graph.add_constant("b", HostTensor::of<float>(ValueType::kF32, {5}, {1, -1, 0, 0.5f, 2}));
  auto quantize = std::make_shared<PointwiseAttrs>();
  quantize->steps = {step("quantize", ValueType::kI8, {1})};
  const TensorId q = *graph.add("pointwise", {x, s}, quantize, {.name = "q"});
  auto attrs = std::make_shared<DotGeneralAttrs>();
  attrs->lhs_contracting = {1};
  attrs->rhs_contracting = {0};
  attrs->accumulator = ValueType::kI32;
  const TensorId y = *graph.add("dot_general", {q, w, kNone, kNone, s, ws}, attrs, {.name = "product"});
  auto more = std::make_shared<PointwiseAttrs>();
  more->steps = {step("add", ValueType::kF32, {1}), step("relu"), step("quantize", out, {2})};
  const TensorId t = graph.add_constant("t", HostTensor::scalar(0.05f));
  const TensorId z = *graph.add("pointwise", {y, bias, t}, more, {.name = "z"});
  auto back = std::make_shared<PointwiseAttrs>();
  back->steps = {step("dequantize", ValueType::kF32, {1})};
  graph.outputs = {*graph.add("pointwise", {z, t}, back, {.name = "y"})};
  return graph;
}

/// Both graphs on the same inputs, the second read from what the first was written as.
void expect_same(const Graph& graph, int64_t opset, double tolerance) {
  const auto bytes = export_onnx(graph, opset);
  ASSERT_TRUE(bytes.ok()) << bytes.status().text();
  const auto again = read_onnx_bytes("exported.onnx", *bytes);
  ASSERT_TRUE(again.ok()) << again.status().text();
  testing::Random random(5);
  const auto inputs = random_inputs(random, graph);
  const auto expected = run_reference(graph, inputs), actual = run_reference(*again, inputs);
  ASSERT_TRUE(expected.ok() && actual.ok()) << expected.status().text() << actual.status().text();
  ASSERT_EQ(actual->size(), expected->size());
  for (size_t i = 0; i < expected->size(); i++) {
    EXPECT_EQ((*again)[again->outputs[i]].name, graph[graph.outputs[i]].name);
    EXPECT_TRUE(testing::near((*actual)[i], (*expected)[i], tolerance, tolerance));
  }
}

TEST(OnnxExport, AQuantizedLayerIsQdqAtBothOpsets) {
  for (const int64_t opset : {13, 21}) {
    for (const ValueType weights : {ValueType::kI8, ValueType::kI4}) {
      for (const ValueType out : {ValueType::kU8, ValueType::kU4, ValueType::kI8, ValueType::kI3}) {
        SCOPED_TRACE(std::to_string(opset) + " " + name(weights) + " " + name(out));
        expect_same(quantized_linear(weights, out), opset, 1e-5);
      }
    }
  }
}

TEST(OnnxExport, AnImportedIntegerNetworkStaysInteger) {
  ModelBuilder b;
  b.input("x", {1, 2, 5, 4}).floats("s", {}, {0.05f}).bytes("z", {}, {7}, false).output("y");
  b.bytes("w", {3, 2, 2, 2},
          {1, -2, 3, -4, 5, -6, 7, -8, 9, 10, 11, -12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24}, true);
  b.node("QuantizeLinear", {"x", "s", "z"}, {"q"});
  b.node("DequantizeLinear", {"q", "s", "z"}, {"d"});
  b.node("DequantizeLinear", {"w", "s"}, {"wd"});
  set_ints(b.node("Conv", {"d", "wd"}, {"c"}), "pads", {1, 0, 0, 1});
  auto& pool = b.node("MaxPool", {"c"}, {"p"});
  set_ints(pool, "kernel_shape", {2, 2});
  b.node("QuantizeLinear", {"p", "s", "z"}, {"r"});
  b.node("DequantizeLinear", {"r", "s", "z"}, {"y"});
  const auto read = b.read();
  ASSERT_TRUE(read.ok()) << read.status().text();
  const auto folded = run_passes(*read, import_passes());
  ASSERT_TRUE(folded.ok()) << folded.status().text();
  expect_same(*folded, 21, 1e-6);
}

TEST(OnnxExport, EverythingWithoutAFormIsListedAtOnce) {
  Graph graph = quantized_linear(ValueType::kI8, ValueType::kU8);
  for (const char* name : {"first", "second"}) {
    auto attrs = std::make_shared<PointwiseAttrs>();
    attrs->steps = {step("power_of_two_ceil")};
    graph.outputs.push_back(*graph.add("pointwise", {graph.outputs[0]}, attrs, {.name = name}));
  }
  const auto bytes = export_onnx(graph, 21);
  ASSERT_FALSE(bytes.ok());
  EXPECT_THAT(bytes.status().text(), HasSubstr("first"));
  EXPECT_THAT(bytes.status().text(), HasSubstr("second"));
  EXPECT_THAT(export_onnx(graph, 12).status().text(), HasSubstr("13 and 21"));
}

}  // namespace
}  // namespace qlathe
