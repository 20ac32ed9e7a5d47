// What each op of the spec computes, on the reference executor.
#include <gmock/gmock.h>

#include <cmath>
#include <set>

#include "tests/formats/spec_samples.h"

namespace qlathe {
namespace {

using testing::Arrays;
using testing::floats;
using testing::one_node;
using testing::read_model;
using testing::run_model;

HostTensor ramp(Shape shape, float start = 0) {
  HostTensor out(ValueType::kF32, std::move(shape));
  for (float& v : out.as<float>())
    v = start++;
  return out;
}

std::string shape_text(const Shape& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

HostTensor run_one(const std::string& node, const HostTensor& x, Arrays weights = {}) {
  const auto out = run_model(one_node(shape_text(x.shape()), node, name(x.type())), {x}, std::move(weights));
  return out.empty() ? HostTensor() : out[0];
}

TEST(SpecOps, LinearTakesKernelsOfBothLayouts) {
  const HostTensor x = floats({1, 2}, {1, 10});
  const HostTensor expected = floats({1, 3}, {42, 53, 64});
  const HostTensor bias = floats({3}, {1, 1, 1});
  EXPECT_EQ(run_one(R"({"op": "linear", "module": "l"})", x,
                    {{"l/kernel", floats({2, 3}, {1, 2, 3, 4, 5, 6})}, {"l/bias", bias}}),
            expected);
  EXPECT_EQ(run_one(R"({"op": "linear", "kernel": "w", "bias": "b", "kernel_layout": "oi"})", x,
                    {{"w", floats({3, 2}, {1, 4, 2, 5, 3, 6})}, {"b", bias}}),
            expected);
}

TEST(SpecOps, IntegerLinearSubtractsZeroPointsAndSumsInInt32) {
  const HostTensor x = HostTensor::of<uint8_t>(ValueType::kU8, {1, 2}, {130, 118});
  const HostTensor out = run_one(R"({"op": "linear", "module": "l", "lhs_zero_point": 128})", x,
                                 {{"l/kernel", HostTensor::of<int8_t>(ValueType::kI8, {2, 1}, {3, 4})},
                                  {"l/bias", HostTensor::of<int32_t>(ValueType::kI32, {1}, {100})}});
  EXPECT_EQ(out, HostTensor::of<int32_t>(ValueType::kI32, {1, 1}, {2 * 3 - 10 * 4 + 100}));
}

TEST(SpecOps, EinsumPermutesItsResult) {
  const HostTensor x = floats({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(run_one(R"({"op": "einsum", "module": "l", "equation": "bd, df -> fb"})", x,
                    {{"l/kernel", floats({2, 3}, {1, 0, 0, 0, 1, 1})}}),
            floats({3, 2}, {1, 3, 2, 4, 2, 4}));
}

TEST(SpecOps, DotGeneralMultipliesActivationsInBatches) {
  const auto out = run_model(R"({"inputs": [{"name": "a", "shape": [2, 1, 2]}, {"name": "b", "shape": [2, 1, 2]}],
      "nodes": [{"op": "dot_general", "inputs": ["a", "b"], "dimension_numbers": [[[2], [2]], [[0], [0]]]}]})",
                             {ramp({2, 1, 2}), ramp({2, 1, 2}, 1)});
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0], floats({2, 1, 1}, {2, 2 * 3 + 3 * 4}));
}

TEST(SpecOps, ConvPadsSameWithTheExtraElementAtTheEnd) {
  const Arrays kernel = {{"c/kernel", floats({2, 1, 1}, {1, 10})}};
  EXPECT_EQ(run_one(R"({"op": "conv", "module": "c"})", floats({1, 3, 1}, {1, 2, 3}), kernel),
            floats({1, 3, 1}, {21, 32, 3}));
  EXPECT_EQ(run_one(R"({"op": "conv", "module": "c", "padding": "VALID", "strides": 1})", floats({1, 3, 1}, {1, 2, 3}),
                    kernel),
            floats({1, 2, 1}, {21, 32}));
  EXPECT_EQ(run_one(R"({"op": "conv", "module": "c", "padding": [[1, 0]], "strides": [2]})",
                    floats({1, 3, 1}, {1, 2, 3}), kernel),
            floats({1, 2, 1}, {10, 32}));
}

TEST(SpecOps, ConvTakesKernelsWithChannelsFirst) {
  // [out 2, in 1, k 2]
  EXPECT_EQ(run_one(R"({"op": "conv", "module": "c", "padding": "VALID", "kernel_layout": "oi.."})",
                    floats({1, 2, 1}, {1, 2}), {{"c/kernel", floats({2, 1, 2}, {1, 10, 100, 1000})}}),
            floats({1, 1, 2}, {21, 2100}));
}

TEST(SpecOps, DepthwiseConvHasAKernelPerChannel) {
  EXPECT_EQ(run_one(R"({"op": "depthwise_conv", "module": "c", "padding": "VALID"})", floats({1, 2, 2}, {1, 2, 3, 4}),
                    {{"c/kernel", floats({2, 1, 2}, {1, 10, 1, 100})}}),
            floats({1, 1, 2}, {4, 420}));
}

TEST(SpecOps, ConvTransposeMultipliesTheExtent) {
  const Arrays kernel = {{"c/kernel", floats({2, 1, 1}, {1, 10})}};
  const HostTensor x = floats({1, 2, 1}, {1, 2});
  // lax.conv_transpose(x, k, strides=(2,), padding=...): the kernel is not flipped.
  EXPECT_EQ(run_one(R"({"op": "conv_transpose", "module": "c", "strides": 2, "padding": "SAME"})", x, kernel),
            floats({1, 4, 1}, {10, 1, 20, 2}));
  EXPECT_EQ(run_one(R"({"op": "conv_transpose", "module": "c", "strides": 2, "padding": "VALID"})", x, kernel),
            floats({1, 4, 1}, {10, 1, 20, 2}));
  EXPECT_EQ(run_one(R"({"op": "conv_transpose", "module": "c", "strides": 1, "padding": "VALID"})", x, kernel),
            floats({1, 3, 1}, {10, 21, 2}));
}

TEST(SpecOps, ElementwiseOps) {
  const HostTensor x = floats({4}, {-2, -0.5f, 3, 9});
  EXPECT_EQ(run_one(R"({"op": "relu"})", x), floats({4}, {0, 0, 3, 9}));
  EXPECT_EQ(run_one(R"({"op": "relu6"})", x), floats({4}, {0, 0, 3, 6}));
  EXPECT_EQ(run_one(R"({"op": "clamp", "min": -1, "max": 5})", x), floats({4}, {-1, -0.5f, 3, 5}));
  EXPECT_EQ(run_one(R"({"op": "leaky_relu", "alpha": 0.5})", x), floats({4}, {-1, -0.25f, 3, 9}));
  EXPECT_EQ(run_one(R"({"op": "cast", "type": "int8"})", x),
            HostTensor::of<int8_t>(ValueType::kI8, {4}, {-2, 0, 3, 9}));
  EXPECT_EQ(run_one(R"({"op": "add", "inputs": ["x", 1]})", x), floats({4}, {-1, 0.5f, 4, 10}));
  EXPECT_EQ(run_one(R"({"op": "sub", "inputs": [1, "x"]})", x), floats({4}, {3, 1.5f, -2, -8}));
  EXPECT_EQ(run_one(R"({"op": "mul", "inputs": ["x", "w"]})", x, {{"w", floats({2, 1}, {1, 2})}}),
            floats({2, 4}, {-2, -0.5f, 3, 9, -4, -1, 6, 18}));
  for (const char* op : {"sigmoid", "tanh", "gelu", "silu", "hard_swish", "softplus", "exp", "erf"}) {
    const HostTensor y = run_one(std::string(R"({"op": ")") + op + "\"}", x);
    ASSERT_EQ(y.shape(), x.shape()) << op;
    for (float v : y.as<float>())
      EXPECT_TRUE(std::isfinite(v)) << op;
  }
}

TEST(SpecOps, PoolsAndReductions) {
  const HostTensor x = ramp({1, 4, 4, 1});
  EXPECT_EQ(run_one(R"({"op": "max_pool", "window": 2})", x), floats({1, 2, 2, 1}, {5, 7, 13, 15}));
  EXPECT_EQ(run_one(R"({"op": "avg_pool", "window": [2, 2]})", x), floats({1, 2, 2, 1}, {2.5f, 4.5f, 10.5f, 12.5f}));
  EXPECT_EQ(run_one(R"({"op": "global_avg_pool"})", x), floats({1, 1}, {7.5f}));
  EXPECT_EQ(run_one(R"({"op": "global_max_pool", "keep_dims": true})", x), floats({1, 1, 1, 1}, {15}));
  EXPECT_EQ(run_one(R"({"op": "mean", "axes": [-2]})", x), floats({1, 4, 1}, {1.5f, 5.5f, 9.5f, 13.5f}));
  EXPECT_EQ(run_one(R"({"op": "sum"})", x), floats({}, {120}));
  EXPECT_EQ(run_one(R"({"op": "reduce_min", "axes": [1, 2]})", x), floats({1, 1}, {0}));
}

TEST(SpecOps, AveragesCountPaddingOrNot) {
  const HostTensor x = floats({1, 3, 1}, {2, 4, 8});
  EXPECT_EQ(run_one(R"({"op": "avg_pool", "window": 2, "padding": "SAME"})", x), floats({1, 2, 1}, {3, 4}));
  EXPECT_EQ(run_one(R"({"op": "avg_pool", "window": 2, "padding": "SAME", "count_include_pad": false})", x),
            floats({1, 2, 1}, {3, 8}));
}

TEST(SpecOps, IntegerAveragesRoundHalfToEven) {
  EXPECT_EQ(
      run_one(R"({"op": "avg_pool", "window": 2})", HostTensor::of<int8_t>(ValueType::kI8, {1, 4, 1}, {1, 2, -3, -4})),
      HostTensor::of<int8_t>(ValueType::kI8, {1, 2, 1}, {2, -4}));
}

TEST(SpecOps, SoftmaxOverAnyAxis) {
  const HostTensor x = floats({2, 1}, {1, 1});
  EXPECT_EQ(run_one(R"({"op": "softmax"})", x), floats({2, 1}, {1, 1}));
  EXPECT_EQ(run_one(R"({"op": "softmax", "axis": 0})", x), floats({2, 1}, {0.5f, 0.5f}));
}

TEST(SpecOps, NormsTakeTheirWeightsWhereGiven) {
  const HostTensor x = floats({1, 2}, {1, 3});
  const HostTensor plain = run_one(R"({"op": "layer_norm", "epsilon": 0})", x);
  EXPECT_EQ(plain, floats({1, 2}, {-1, 1}));
  EXPECT_EQ(run_one(R"({"op": "layer_norm", "module": "n", "epsilon": 0})", x,
                    {{"n/scale", floats({2}, {2, 3})}, {"n/bias", floats({2}, {10, 20})}}),
            floats({1, 2}, {8, 23}));
  EXPECT_EQ(run_one(R"({"op": "rms_norm", "epsilon": 0})", floats({1, 2}, {1, 1})), floats({1, 2}, {1, 1}));
}

Arrays norm_weights() {
  return {{"n/scale", floats({2}, {2, 4})},
          {"n/bias", floats({2}, {1, 2})},
          {"n/mean", floats({2}, {1, 1})},
          {"n/var", floats({2}, {4, 16})},
          {"l/kernel", floats({1, 2}, {1, 2})}};
}

TEST(SpecOps, BatchNormFoldsIntoTheProductBeforeIt) {
  for (bool bias : {false, true}) {
    Arrays weights = norm_weights();
    if (bias) weights.emplace("l/bias", floats({2}, {3, 5}));
    const std::string text =
        one_node("[1, 1]", R"({"op": "linear", "module": "l"}, {"op": "batch_norm", "module": "n", "epsilon": 0})");
    auto model = read_model(text, weights);
    ASSERT_TRUE(model.ok()) << model.status().text();
    EXPECT_EQ(model->graph.nodes.size(), 2u);
    const float b0 = bias ? 3 : 0, b1 = bias ? 5 : 0;
    EXPECT_EQ(run_model(text, {floats({1, 1}, {10})}, weights)[0], floats({1, 2}, {10 + b0 - 1 + 1, 20 + b1 - 1 + 2}));
  }
}

TEST(SpecOps, BatchNormStaysWhereTheProductIsUsedElsewhereToo) {
  const std::string text = one_node("[1, 1]", R"({"id": "l", "op": "linear"},
      {"id": "n", "op": "batch_norm", "epsilon": 0}, {"op": "add", "inputs": ["l", "n"]})");
  EXPECT_EQ(run_model(text, {floats({1, 1}, {10})}, norm_weights())[0], floats({1, 2}, {20, 41}));
}

TEST(SpecOps, MovesData) {
  const HostTensor x = ramp({2, 3});
  EXPECT_EQ(run_one(R"({"op": "reshape", "shape": [3, -1]})", x), ramp({3, 2}));
  EXPECT_EQ(run_one(R"({"op": "flatten", "start_axis": 0})", x), ramp({6}));
  EXPECT_EQ(run_one(R"({"op": "flatten"})", ramp({2, 3, 4})), ramp({2, 12}));
  EXPECT_EQ(run_one(R"({"op": "transpose"})", x), floats({3, 2}, {0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(run_one(R"({"op": "transpose", "permutation": [1, 0]})", x), floats({3, 2}, {0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(run_one(R"({"op": "concat", "inputs": ["x", "x"], "axis": 0})", x).shape(), (Shape{4, 3}));
  EXPECT_EQ(run_one(R"({"op": "slice", "start": [0, -2], "stop": [1, 100]})", x), floats({1, 2}, {1, 2}));
  EXPECT_EQ(run_one(R"({"op": "slice", "axes": [1], "start": [-1], "stop": [-100], "step": [-2]})", x),
            floats({2, 2}, {2, 0, 5, 3}));
  EXPECT_EQ(run_one(R"({"op": "pad", "padding": [[0, 0], [1, 0]], "value": 7})", x),
            floats({2, 4}, {7, 0, 1, 2, 7, 3, 4, 5}));
  EXPECT_EQ(run_one(R"({"op": "pad", "padding": [[0, 0], [0, 1]], "mode": "edge"})", x),
            floats({2, 4}, {0, 1, 2, 2, 3, 4, 5, 5}));
  EXPECT_EQ(run_one(R"({"op": "gather", "indices": [1, 0]})", x), floats({2, 3}, {3, 4, 5, 0, 1, 2}));
  EXPECT_EQ(run_one(R"({"op": "gather", "indices": 2, "axis": -1})", x), floats({2}, {2, 5}));
}

TEST(SpecOps, SplitGivesSeveralResults) {
  const std::string head = R"({"inputs": [{"name": "x", "shape": [1, 4]}], "nodes": [)";
  auto out =
      run_model(head + R"({"id": "s", "op": "split", "sections": 2}], "outputs": ["s.1", "s.0"]})", {ramp({1, 4})});
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0], floats({1, 2}, {2, 3}));
  EXPECT_EQ(out[1], floats({1, 2}, {0, 1}));
  out = run_model(head + R"({"op": "split", "sections": [1, 3], "outputs": ["a", "b"]}], "outputs": "b"})",
                  {ramp({1, 4})});
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0], floats({1, 3}, {1, 2, 3}));
}

TEST(SpecOps, QuantizesAndDequantizesWithStatedParameters) {
  const HostTensor x = floats({1, 2}, {1.25f, -3});
  const HostTensor q = HostTensor::of<int8_t>(ValueType::kI8, {1, 2}, {12, -28});
  EXPECT_EQ(run_one(R"({"op": "quantize", "type": "int8", "scale": [0.5, 0.1], "zero_point": [10, 2], "axis": -1})", x),
            q);
  EXPECT_EQ(run_one(R"({"op": "quantize", "type": "int8", "scale": 0.5, "min": -3, "max": 1})", x),
            HostTensor::of<int8_t>(ValueType::kI8, {1, 2}, {1, -3}));
  EXPECT_EQ(run_one(R"({"op": "dequantize", "scale": [0.5, 0.25], "zero_point": 4})", q), floats({1, 2}, {4, -8}));
  EXPECT_EQ(run_one(R"({"op": "requantize", "type": "uint8", "scale": 0.25, "zero_point": 3})",
                    HostTensor::of<int32_t>(ValueType::kI32, {3}, {10, -100, 5000})),
            HostTensor::of<uint8_t>(ValueType::kU8, {3}, {5, 0, 255}));
}

TEST(SpecOps, RequantizesInFixedPoint) {
  // 0.3 is 1288490189 * 2^-32. Ties of a multiplier of 1/4: 2 * 0.25 and -2 * 0.25 go up once; away from zero the
  // second time.
  const HostTensor x = HostTensor::of<int32_t>(ValueType::kI32, {2, 3}, {2, -2, 6, -6, 1000, -1000});
  EXPECT_EQ(run_one(R"({"op": "requantize", "type": "int8", "scale": 0.25, "rounding": "fixed_single"})", x),
            HostTensor::of<int8_t>(ValueType::kI8, {2, 3}, {1, 0, 2, -1, 127, -128}));
  EXPECT_EQ(
      run_one(R"({"op": "requantize", "type": "int8", "scale": 0.25, "rounding": "fixed_double", "max": 100})", x),
      HostTensor::of<int8_t>(ValueType::kI8, {2, 3}, {1, -1, 2, -2, 100, -128}));
  EXPECT_EQ(run_one(R"({"op": "requantize", "type": "int16", "scale": [0.3, 0.5, 2], "zero_point": 10,
                        "rounding": "fixed_single"})",
                    x),
            HostTensor::of<int16_t>(ValueType::kI16, {2, 3}, {11, 9, 22, 8, 510, -1990}));
  EXPECT_EQ(run_one(R"({"op": "requantize", "type": "int8", "scale": 0.25, "rounding": "float_half_even"})", x),
            HostTensor::of<int8_t>(ValueType::kI8, {2, 3}, {0, 0, 2, -2, 127, -128}));
  // The 16-bit form: a mantissa of 15 bits.
  EXPECT_EQ(run_one(R"({"op": "requantize", "type": "int16", "scale": 0.5, "rounding": "fixed_single"})",
                    HostTensor::of<int64_t>(ValueType::kI64, {3}, {3, -3, int64_t{1} << 40})),
            HostTensor::of<int16_t>(ValueType::kI16, {3}, {2, -1, 32767}));
}

TEST(SpecOps, FixedPointRequantizationSaysWhatItTakes) {
  const auto problem = [](const std::string& fields, const char* type) {
    auto model = read_model(one_node("[2, 3]", R"({"op": "requantize", "type": "int8", )" + fields + "}", type), {});
    return model.status().text();
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(problem(R"("scale": 0, "rounding": "fixed_single")", "int32"), HasSubstr("above 0 and below 2^30"));
  EXPECT_THAT(problem(R"("scale": [1, -1, 1], "rounding": "fixed_double")", "int32"), HasSubstr("above 0"));
  EXPECT_THAT(problem(R"("scale": 1, "rounding": "fixed_double")", "int8"), HasSubstr("takes int32 or int64"));
  EXPECT_THAT(problem(R"("scale": 1, "rounding": "fixed_doubel")", "int32"), HasSubstr("did you mean 'fixed_double'"));
  EXPECT_THAT(problem(R"("rounding": "fixed_double")", "int32"), HasSubstr("scale: is missing"));
  EXPECT_THAT(problem(R"("scale": 1, "rounding": "fixed_double")", "int64"), HasSubstr("fixed_single"));
}

TEST(SpecOps, NarrowFloatsStayNarrow) {
  const std::string text =
      one_node("[1, 2]", R"({"op": "linear", "module": "l"}, {"op": "softmax"}, {"op": "mean"})", "bfloat16");
  auto model = read_model(
      text, {{"l/kernel", HostTensor(ValueType::kBF16, {2, 2})}, {"l/bias", HostTensor(ValueType::kBF16, {2})}});
  ASSERT_TRUE(model.ok()) << model.status().text();
  for (const Node& node : model->graph.nodes) {
    EXPECT_EQ(model->graph[node.outputs[0]].type.type, ValueType::kBF16) << node.op;
  }
}

TEST(SpecOps, CoverWhatIsPromised) {
  const auto names = spec_op_names();
  const std::set<std::string> have(names.begin(), names.end());
  for (const char* op : {"linear",
                         "dot_general",
                         "einsum",
                         "conv",
                         "depthwise_conv",
                         "conv_transpose",
                         "relu",
                         "relu6",
                         "clamp",
                         "sigmoid",
                         "tanh",
                         "gelu",
                         "silu",
                         "hard_swish",
                         "softmax",
                         "layer_norm",
                         "batch_norm",
                         "add",
                         "sub",
                         "mul",
                         "max_pool",
                         "avg_pool",
                         "mean",
                         "sum",
                         "reshape",
                         "flatten",
                         "transpose",
                         "concat",
                         "split",
                         "slice",
                         "pad",
                         "gather",
                         "quantize",
                         "dequantize",
                         "requantize",
                         "global_avg_pool",
                         "global_max_pool"}) {
    EXPECT_TRUE(have.contains(op)) << op;
  }
}

}  // namespace
}  // namespace qlathe
