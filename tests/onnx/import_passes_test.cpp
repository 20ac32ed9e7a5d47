// What becomes of layouts and of quantized patterns on their way in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/ops/contraction.h"
#include "frontend/ops/pointwise.h"
#include "frontend/passes/pass_manager.h"
#include "frontend/reference/reference_executor.h"
#include "tests/onnx/model_builder.h"
#include "tests/support/compare.h"
#include "tests/support/random_tensor.h"

namespace qlathe {
namespace {

using testing::ModelBuilder;
using testing::set_int;
using testing::set_ints;

struct BeforeAndAfter {
  Graph before, after;
  std::vector<HostTensor> expected, actual;
};

/// The graph as it was read and after the import passes, both run by the reference on the same random inputs.
BeforeAndAfter import(const ModelBuilder& b, uint64_t seed = 1) {
  BeforeAndAfter out;
  auto graph = b.read();
  if (!graph.ok()) {
    ADD_FAILURE() << graph.status().text();
    return out;
  }
  out.before = *graph;
  auto passed = run_passes(*graph, import_passes());
  if (!passed.ok()) {
    ADD_FAILURE() << passed.status().text();
    return out;
  }
  out.after = *passed;
  testing::Random random(seed);
  std::vector<HostTensor> inputs;
  for (TensorId id : out.before.inputs)
    inputs.push_back(random_tensor(random, out.before[id].type.type, out.before[id].shape()));
  const auto expected = run_reference(out.before, inputs), actual = run_reference(out.after, inputs);
  if (!expected.ok() || !actual.ok()) {
    ADD_FAILURE() << expected.status().text() << actual.status().text();
    return out;
  }
  out.expected = *expected;
  out.actual = *actual;
  return out;
}

int count(const Graph& graph, const std::string& op) {
  int n = 0;
  for (const Node& node : graph.nodes)
    n += node.op == op;
  return n;
}

/// Steps of that name in all pointwise nodes.
int count_steps(const Graph& graph, const std::string& step) {
  int n = 0;
  for (const Node& node : graph.nodes) {
    if (node.op != "pointwise") continue;
    for (const PointwiseStep& s : node.as<PointwiseAttrs>().steps)
      n += s.op == step;
  }
  return n;
}

void quantized(ModelBuilder& b, const std::string& from, const std::string& to, const std::string& scale) {
  b.node("QuantizeLinear", {from, scale, "z"}, {from + "_q"});
  b.node("DequantizeLinear", {from + "_q", scale, "z"}, {to});
}

std::vector<int> ramp(int n, int step, int modulus, int offset) {
  std::vector<int> out;
  for (int i = 0; i < n; i++)
    out.push_back(i * step % modulus + offset);
  return out;
}

TEST(ImportPasses, TransposesVanishBetweenConvolutionsAndWhatNeedsNoLayout) {
  ModelBuilder b;
  b.input("x", {1, 2, 6, 5}).floats("w", {2, 2, 1, 1}, {1, 2, 3, 4}).floats("s", {1, 2, 1, 1}, {2, 3}).output("y");
  b.node("Conv", {"x", "w"}, {"a"});
  b.node("Relu", {"a"}, {"r"});
  b.node("Mul", {"r", "s"}, {"m"});
  set_int(b.node("Concat", {"m", "r"}, {"c"}), "axis", 1);
  b.ints("start", {1}).ints("end", {3}).ints("axis", {1});
  b.node("Slice", {"c", "start", "end", "axis"}, {"l"});
  b.node("Conv", {"l", "w"}, {"y"});
  const BeforeAndAfter r = import(b);
  ASSERT_EQ(r.actual.size(), 1u);
  EXPECT_TRUE(testing::same_bits(r.actual, r.expected));
  EXPECT_EQ(count(r.after, "transpose"), 2) << "one in, one out";
}

TEST(ImportPasses, AResidualFromTheInputIsTransposedOnce) {
  ModelBuilder b;
  b.input("x", {1, 2, 4, 4}).floats("w", {2, 2, 1, 1}, {1, 2, 3, 4}).output("y");
  b.node("Conv", {"x", "w"}, {"a"});
  b.node("Add", {"a", "x"}, {"s"});
  b.node("Conv", {"s", "w"}, {"y"});
  const BeforeAndAfter r = import(b);
  ASSERT_EQ(r.actual.size(), 1u);
  EXPECT_TRUE(testing::same_bits(r.actual, r.expected));
  EXPECT_EQ(count(r.after, "transpose"), 2);
}

/// x -> q/dq -> Conv(dq(w)) + dq(bias) -> Relu -> q/dq.
ModelBuilder quantized_conv(float bias_scale) {
  ModelBuilder b;
  b.input("x", {1, 2, 5, 4}).floats("s", {}, {0.05f}).bytes("z", {}, {7}, false).floats("s2", {}, {0.4f}).output("y");
  b.bytes("w", {3, 2, 2, 2}, ramp(24, 37, 255, -127), true).floats("ws", {3}, {0.01f, 0.02f, 0.03f});
  auto* bias = b.model.mutable_graph()->add_initializer();
  bias->set_name("b");
  bias->set_data_type(onnx::TensorProto::INT32);
  bias->add_dims(3);
  for (int v : {100, -2000, 30})
    bias->add_int32_data(v);
  b.floats("bs", {3}, {0.05f * 0.01f * bias_scale, 0.05f * 0.02f * bias_scale, 0.05f * 0.03f * bias_scale});
  quantized(b, "x", "xd", "s");
  set_int(b.node("DequantizeLinear", {"w", "ws"}, {"wd"}), "axis", 0);
  set_int(b.node("DequantizeLinear", {"b", "bs"}, {"bd"}), "axis", 0);
  set_ints(b.node("Conv", {"xd", "wd", "bd"}, {"c"}), "pads", {1, 0, 0, 1});
  b.node("Relu", {"c"}, {"r"});
  quantized(b, "r", "y", "s2");
  return b;
}

TEST(ImportPasses, AQuantizedConvolutionSumsIntegersWithItsBias) {
  const BeforeAndAfter r = import(quantized_conv(1));
  ASSERT_EQ(r.actual.size(), 1u);
  // One step of the output's quantization, where the float sum's rounding crosses a boundary.
  EXPECT_TRUE(testing::near(r.actual[0], r.expected[0], 0.4001, 0));
  for (const Node& node : r.after.nodes) {
    if (node.op != "conv") continue;
    EXPECT_EQ(node.as<ConvAttrs>().accumulator, ValueType::kI32);
    EXPECT_EQ(r.after[node.inputs[kLhs]].type.type, ValueType::kU8);
    EXPECT_EQ(r.after[node.inputs[kRhs]].type.type, ValueType::kI8);
    EXPECT_TRUE(r.after[node.inputs[kRhs]].is_constant());
  }
  int integer_sums = 0;
  for (const Node& node : r.after.nodes) {
    if (node.op == "pointwise" && node.as<PointwiseAttrs>().steps[0].op == "add")
      integer_sums += r.after[node.outputs[0]].type.type == ValueType::kI32;
  }
  EXPECT_EQ(integer_sums, 1) << "the bias";
}

TEST(ImportPasses, ABiasOfAnotherScaleStaysReal) {
  const BeforeAndAfter r = import(quantized_conv(1.5f));
  ASSERT_EQ(r.actual.size(), 1u);
  EXPECT_TRUE(testing::near(r.actual[0], r.expected[0], 0.4001, 0));
  EXPECT_EQ(count(r.after, "conv"), 1);
  for (const Node& node : r.after.nodes) {
    if (node.op != "pointwise" || node.as<PointwiseAttrs>().steps[0].op != "add") continue;
    EXPECT_NE(r.after[node.outputs[0]].type.type, ValueType::kI32);
  }
}

TEST(ImportPasses, AConvolutionPadsForItself) {
  ModelBuilder b;
  b.input("x", {1, 2, 4, 5}).floats("w", {2, 2, 3, 3}, std::vector<float>(36, 0.5f)).output("y");
  b.ints("pads", {0, 0, 1, 0, 0, 0, 2, 1}).ints("crop", {0, 0, -1, 0, 0, 0, 0, 0});
  b.node("Pad", {"x", "pads"}, {"p"});
  set_ints(b.node("Conv", {"p", "w"}, {"c"}), "pads", {1, 1, 1, 1});
  b.node("Pad", {"c", "crop"}, {"cropped"});
  set_ints(b.node("Conv", {"cropped", "w"}, {"y"}), "pads", {1, 1, 1, 1});
  const BeforeAndAfter r = import(b);
  ASSERT_EQ(r.actual.size(), 1u);
  EXPECT_TRUE(testing::same_bits(r.actual, r.expected));
  EXPECT_EQ(count(r.before, "pad"), 2);
  EXPECT_EQ(count(r.after, "pad"), 1) << "what is cropped must stay so";
}

TEST(ImportPasses, AnIntegerConvolutionPadsWithItsZeroPoint) {
  for (const bool zero : {true, false}) {
    ModelBuilder b;
    b.input("x", {1, 2, 4, 5}).floats("s", {}, {0.05f}).bytes("z", {}, {7}, false).floats("fill", {}, {zero ? 0 : 1.f});
    b.bytes("w", {2, 2, 3, 3}, ramp(36, 37, 255, -127), true).floats("ws", {}, {0.01f});
    b.ints("pads", {0, 0, 1, 1, 0, 0, 1, 1}).output("y");
    quantized(b, "x", "xd", "s");
    b.node("Pad", {"xd", "pads", "fill"}, {"p"});
    quantized(b, "p", "pd", "s");
    b.node("DequantizeLinear", {"w", "ws"}, {"wd"});
    b.node("Conv", {"pd", "wd"}, {"c"});
    quantized(b, "c", "y", "s");
    const BeforeAndAfter r = import(b);
    ASSERT_EQ(r.actual.size(), 1u);
    EXPECT_TRUE(testing::near(r.actual[0], r.expected[0], 0.0501, 0));
    EXPECT_EQ(count(r.after, "pad"), zero ? 0 : 1);
  }
}

TEST(ImportPasses, WeightsOfARealProductStayAsTheyAreStored) {
  ModelBuilder b;
  b.input("x", {1, 3, 4, 4}).bytes("w", {2, 3, 2, 2}, ramp(24, 5, 15, -7), true).floats("ws", {2}, {0.5f, 0.25f});
  b.bytes("v", {18, 4}, ramp(72, 37, 255, -127), true)
      .floats("vs", {2, 4}, {1, 2, 3, 4, 0.5f, 0.25f, 1, 2})
      .output("y");
  set_int(b.node("DequantizeLinear", {"w", "ws"}, {"wd"}), "axis", 0);
  b.node("Conv", {"x", "wd"}, {"c"});
  set_int(b.node("Flatten", {"c"}, {"f"}), "axis", 1);
  auto& blocks = b.node("DequantizeLinear", {"v", "vs"}, {"vd"});
  set_int(blocks, "axis", 0);
  set_int(blocks, "block_size", 9);
  b.node("MatMul", {"f", "vd"}, {"y"});
  const BeforeAndAfter r = import(b);
  ASSERT_EQ(r.actual.size(), 1u);
  EXPECT_TRUE(testing::near(r.actual[0], r.expected[0], 1e-3, 1e-5));
  std::vector<ValueType> stored;
  for (const Node& node : r.after.nodes) {
    if (node.op == "conv" || node.op == "dot_general") stored.push_back(r.after[node.inputs[kRhs]].type.type);
  }
  EXPECT_THAT(stored, ::testing::ElementsAre(ValueType::kI4, ValueType::kI8));
  EXPECT_EQ(count_steps(r.after, "dequantize"), 0);
}

TEST(ImportPasses, MovementAndMaximaWorkOnTheIntegers) {
  ModelBuilder b;
  b.input("x", {1, 2, 4, 6}).floats("s", {}, {0.05f}).bytes("z", {}, {7}, false).ints("to", {1, 12}).output("y");
  quantized(b, "x", "a", "s");
  auto& pool = b.node("MaxPool", {"a"}, {"p"});
  set_ints(pool, "kernel_shape", {2, 2});
  set_ints(pool, "strides", {2, 2});
  quantized(b, "p", "q", "s");
  b.node("Reshape", {"q", "to"}, {"f"});
  quantized(b, "f", "y", "s");
  const BeforeAndAfter r = import(b);
  ASSERT_EQ(r.actual.size(), 1u);
  EXPECT_TRUE(testing::same_bits(r.actual, r.expected));
  EXPECT_EQ(count_steps(r.after, "quantize"), 1);
  EXPECT_EQ(count_steps(r.after, "dequantize"), 1);
}

TEST(ImportPasses, AveragesOfPaddedWindowsLeaveTheZeroPointOut) {
  for (int include : {0, 1}) {
    ModelBuilder b;
    b.input("x", {1, 1, 4, 4}).floats("s", {}, {0.05f}).bytes("z", {}, {90}, false).output("y");
    quantized(b, "x", "a", "s");
    auto& pool = b.node("AveragePool", {"a"}, {"p"});
    set_ints(pool, "kernel_shape", {3, 3});
    set_ints(pool, "pads", {1, 1, 1, 1});
    set_int(pool, "count_include_pad", include);
    quantized(b, "p", "y", "s");
    const BeforeAndAfter r = import(b);
    ASSERT_EQ(r.actual.size(), 1u);
    EXPECT_TRUE(testing::near(r.actual[0], r.expected[0], 0.0501, 0)) << "count_include_pad " << include;
    int integer_pools = 0;
    for (const Node& node : r.after.nodes)
      integer_pools += node.op == "pool" && r.after[node.outputs[0]].type.type == ValueType::kI32;
    EXPECT_EQ(integer_pools, 1);
  }
}

TEST(ImportPasses, AResidualSumReadsBothOperandsAsIntegers) {
  ModelBuilder b;
  b.input("x", {2, 9}).input("y", {2, 9}).floats("s", {}, {0.05f}).floats("t", {}, {0.03f});
  b.bytes("z", {}, {7}, false).output("r");
  quantized(b, "x", "a", "s");
  quantized(b, "y", "c", "t");
  b.node("Add", {"a", "c"}, {"sum"});
  quantized(b, "sum", "r", "s");
  const BeforeAndAfter r = import(b);
  ASSERT_EQ(r.actual.size(), 1u);
  EXPECT_TRUE(testing::same_bits(r.actual, r.expected)) << "the same float operations in the same order";
  EXPECT_EQ(count_steps(r.after, "add_dequantized"), 1);
}

TEST(ImportPasses, ABatchNormalizationMovesIntoTheConvolutionBeforeIt) {
  ModelBuilder b;
  b.input("x", {1, 2, 4, 4}).floats("w", {3, 2, 1, 1}, {1, 2, 3, 4, 5, 6}).floats("bias", {3}, {1, -1, 2}).output("y");
  b.floats("scale", {3}, {2, 0.5f, -1}).floats("offset", {3}, {0, 1, 2}).floats("mean", {3}, {0.1f, 0.2f, 0.3f});
  b.floats("var", {3}, {1, 4, 0.25f});
  b.node("Conv", {"x", "w", "bias"}, {"c"});
  b.node("BatchNormalization", {"c", "scale", "offset", "mean", "var"}, {"n"});
  b.node("Relu", {"n"}, {"y"});
  const BeforeAndAfter r = import(b);
  ASSERT_EQ(r.actual.size(), 1u);
  EXPECT_TRUE(testing::near(r.actual[0], r.expected[0], 1e-5, 1e-5));
  EXPECT_EQ(count_steps(r.after, "fma"), 0);
  EXPECT_EQ(count_steps(r.after, "add"), 1) << "one bias in place of two";
}

/// Names of real tensors that are neither given nor given back, in the form that is lowered.
std::vector<std::string> real_tensors(const Graph& graph) {
  const auto lowered = run_passes(graph, lowering_passes());
  if (!lowered.ok()) return {lowered.status().text()};
  std::vector<std::string> out;
  for (const Node& node : lowered->nodes) {
    for (TensorId id : node.outputs) {
      if (is_float((*lowered)[id].type.type) && !lowered->is_output(id)) out.push_back((*lowered)[id].name);
    }
  }
  return out;
}

TEST(ImportPasses, PartsOfOtherScalesAreRequantizedBeforeTheyAreJoined) {
  ModelBuilder b;
  b.input("a", {2, 3}, onnx::TensorProto::INT8).input("b", {2, 5}, onnx::TensorProto::UINT8);
  b.input("c", {2, 1}, onnx::TensorProto::INT8).output("q").output("d");
  b.floats("sa", {}, {0.03f}).floats("sb", {}, {0.011f}).floats("s", {}, {0.02f});
  b.bytes("za", {}, {3}, true).bytes("zb", {}, {120}, false).bytes("z", {}, {-5}, true);
  b.node("DequantizeLinear", {"a", "sa", "za"}, {"da"});
  b.node("DequantizeLinear", {"b", "sb", "zb"}, {"db"});
  b.node("DequantizeLinear", {"c", "s", "z"}, {"dc"});
  set_int(b.node("Concat", {"da", "db", "dc"}, {"all"}), "axis", 1);
  b.node("QuantizeLinear", {"all", "s", "z"}, {"q"});
  // Another join, whose reals are wanted themselves.
  set_int(b.node("Concat", {"db", "da"}, {"d"}), "axis", 1);
  const BeforeAndAfter r = import(b);
  ASSERT_EQ(r.actual.size(), 2u);
  EXPECT_TRUE(testing::same_bits(r.actual, r.expected));
  int integer_joins = 0;
  for (const Node& node : r.after.nodes)
    integer_joins += node.op == "concat" && r.after[node.outputs[0]].type.type == ValueType::kI8;
  EXPECT_EQ(integer_joins, 1);
}

TEST(ImportPasses, ASoftmaxBetweenIntegersTakesAndGivesThem) {
  ModelBuilder b;
  b.input("x", {3, 7}, onnx::TensorProto::INT8).output("y");
  b.floats("s", {}, {0.1f}).bytes("z", {}, {4}, true).floats("t", {}, {1 / 256.0f}).bytes("u", {}, {0}, false);
  b.node("DequantizeLinear", {"x", "s", "z"}, {"d"});
  b.node("Softmax", {"d"}, {"p"});
  b.node("QuantizeLinear", {"p", "t", "u"}, {"y"});
  const BeforeAndAfter r = import(b);
  ASSERT_EQ(r.actual.size(), 1u);
  EXPECT_TRUE(testing::same_bits(r.actual[0], r.expected[0]));
  EXPECT_THAT(real_tensors(r.after), ::testing::IsEmpty());
}

TEST(ImportPasses, AProductOfTwoActivationsSumsIntegers) {
  ModelBuilder b;
  b.input("x", {2, 3, 8}, onnx::TensorProto::UINT8).input("w", {2, 8, 5}, onnx::TensorProto::INT8).output("y");
  b.floats("s", {}, {0.5f}).bytes("z", {}, {100}, false).floats("t", {}, {0.25f}).bytes("u", {}, {-7}, true);
  b.floats("v", {}, {64}).bytes("n", {}, {0}, true);
  b.node("DequantizeLinear", {"x", "s", "z"}, {"d"});
  b.node("DequantizeLinear", {"w", "t", "u"}, {"e"});
  b.node("MatMul", {"d", "e"}, {"m"});
  b.node("QuantizeLinear", {"m", "v", "n"}, {"y"});
  const BeforeAndAfter r = import(b);
  ASSERT_EQ(r.actual.size(), 1u);
  // Powers of two as scales: the float sums are exact too.
  EXPECT_TRUE(testing::same_bits(r.actual[0], r.expected[0]));
  EXPECT_THAT(real_tensors(r.after), ::testing::IsEmpty());
}

TEST(ImportPasses, FactorsOfOneNumberInARowAreNoProduct) {
  ModelBuilder b;
  b.input("x", {2, 3}).floats("a", {}, {2}).floats("b", {}, {3}).output("y");
  b.node("Mul", {"x", "a"}, {"m"});
  b.node("Mul", {"m", "b"}, {"y"});
  const BeforeAndAfter r = import(b);
  ASSERT_EQ(r.actual.size(), 1u);
  EXPECT_TRUE(testing::same_bits(r.actual[0], r.expected[0]));
}

TEST(ImportPasses, OutputsThatBecomeInputsOrOthersKeepTheirNames) {
  ModelBuilder b;
  b.input("q", {2, 3}, onnx::TensorProto::INT8).floats("s", {}, {0.5f}).bytes("z", {}, {1}, true);
  b.output("again").output("once").output("twice");
  b.node("DequantizeLinear", {"q", "s", "z"}, {"d"});
  b.node("QuantizeLinear", {"d", "s", "z"}, {"again"});
  b.node("Relu", {"d"}, {"r"});
  b.node("QuantizeLinear", {"r", "s", "z"}, {"once"});
  b.node("DequantizeLinear", {"once", "s", "z"}, {"e"});
  b.node("QuantizeLinear", {"e", "s", "z"}, {"twice"});
  const BeforeAndAfter r = import(b);
  ASSERT_EQ(r.actual.size(), 3u);
  for (size_t i = 0; i < 3; i++) {
    EXPECT_EQ(r.after[r.after.outputs[i]].name, r.before[r.before.outputs[i]].name);
    EXPECT_TRUE(testing::same_bits(r.actual[i], r.expected[i]));
  }
}

TEST(ImportPasses, AConvolutionThatIsReadTwiceKeepsItsWeights) {
  ModelBuilder b;
  b.input("x", {1, 2, 4, 4}).floats("w", {2, 2, 1, 1}, {1, 2, 3, 4}).floats("one", {2}, {1, 3}).output("y");
  b.node("Conv", {"x", "w"}, {"c"});
  b.node("BatchNormalization", {"c", "one", "one", "one", "one"}, {"n"});
  b.node("Add", {"n", "c"}, {"y"});
  const BeforeAndAfter r = import(b);
  ASSERT_EQ(r.actual.size(), 1u);
  EXPECT_TRUE(testing::same_bits(r.actual, r.expected));
}

TEST(ImportPasses, WeightsThatFitFourBitsAreStoredInFour) {
  for (const auto& [limit, type] :
       {std::pair{3, ValueType::kI4}, std::pair{1, ValueType::kI2}, std::pair{8, ValueType::kI8}}) {
    ModelBuilder b;
    b.input("x", {3, 6}).floats("s", {}, {0.05f}).bytes("z", {}, {7}, false).output("y");
    b.bytes("w", {6, 4}, ramp(24, 5, 2 * limit + 1, -limit), true);
    quantized(b, "x", "a", "s");
    b.node("DequantizeLinear", {"w", "s"}, {"wd"});
    b.node("MatMul", {"a", "wd"}, {"y"});
    const BeforeAndAfter r = import(b);
    ASSERT_EQ(r.actual.size(), 1u);
    EXPECT_TRUE(testing::near(r.actual[0], r.expected[0], 1e-5, 1e-5));
    for (const Node& node : r.after.nodes) {
      if (node.op != "dot_general") continue;
      EXPECT_EQ(r.after[node.inputs[kRhs]].type.type, type) << "values up to " << limit;
    }
  }
}

TEST(ImportPasses, ASumThatCouldWrapStaysReal) {
  ModelBuilder b;
  const int64_t k = 40000;  // times 255 * 255 is beyond int32
  b.input("x", {1, k}).floats("s", {}, {0.05f}).bytes("z", {}, {7}, false).output("y");
  b.bytes("w", {k, 1}, ramp(static_cast<int>(k), 37, 255, -127), true);
  quantized(b, "x", "a", "s");
  b.node("DequantizeLinear", {"w", "s"}, {"wd"});
  b.node("MatMul", {"a", "wd"}, {"y"});
  const BeforeAndAfter r = import(b);
  for (const Node& node : r.after.nodes) {
    if (node.op != "dot_general") continue;
    EXPECT_EQ(node.as<DotGeneralAttrs>().accumulator, ValueType::kF32);
  }
}

}  // namespace
}  // namespace qlathe
