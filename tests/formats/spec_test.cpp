#include "frontend/formats/spec/spec.h"

#include <algorithm>

#include "frontend/formats/arrays/array_file.h"
#include "frontend/formats/atomic_write.h"
#include "frontend/ir/text.h"
#include "tests/formats/array_samples.h"
#include "tests/formats/spec_samples.h"

namespace qlathe {
namespace {

using testing::Arrays;
using testing::error_of;
using testing::floats;
using testing::one_node;
using testing::read_model;
using testing::run_model;
using testing::TemporaryFolder;

constexpr char kPerceptron[] = R"({
  "qlathe_spec": 1,
  "name": "perceptron",
  "inputs": [{"name": "x", "shape": [8, 16]}],
  "weights": "perceptron.npz",
  "nodes": [
    {"op": "linear", "module": "linear1"},
    {"op": "relu"},
    {"op": "linear", "module": "linear2"}
  ]
}
)";

Arrays perceptron_weights() {
  return {{"linear1/kernel", HostTensor(ValueType::kF32, {16, 64})},
          {"linear1/bias", HostTensor(ValueType::kF32, {64})},
          {"linear2/kernel", HostTensor(ValueType::kF32, {64, 16})}};
}

TEST(Spec, ReadsThePerceptronAndItsWeights) {
  TemporaryFolder folder;
  EXPECT_LT(std::count(std::begin(kPerceptron), std::end(kPerceptron), '\n'), 20);
  ASSERT_TRUE(write_file(folder / "mlp.json", kPerceptron).ok());
  ASSERT_TRUE(write_npz(folder / "perceptron.npz", perceptron_weights()).ok());
  auto model = read_spec(folder / "mlp.json");
  ASSERT_TRUE(model.ok()) << model.status().text();
  const std::string at = "\", rule_op=\"dot_general\", place=\"" + (folder / "mlp.json");
  EXPECT_EQ(
      print_graph(model->graph).text,
      "qlathe_graph 1 \"perceptron\"\n"
      "input %x: float32[8, 16]\n"
      "const %linear1/kernel: float32[16, 64] = array\n"
      "const %linear1/bias: float32[64] = array\n"
      "const %linear2/kernel: float32[64, 16] = array\n"
      "%linear0.product: float32[8, 64] = dot_general(%x, %linear1/kernel) {lhs_contracting = [1], rhs_contracting = "
      "[0]} from(name=\"linear0\", module=\"linear1" +
          at +
          ":7:5\")\n"
          "%linear0: float32[8, 64] = pointwise(%linear0.product, %linear1/bias) {steps = [{op = \"add\", operands = "
          "[1]}]} from(module=\"linear1\", place=\"" +
          (folder / "mlp.json") +
          ":7:5\")\n"
          "%relu1: float32[8, 64] = pointwise(%linear0) {steps = [{op = \"relu\"}]} from(place=\"" +
          (folder / "mlp.json") +
          ":8:5\")\n"
          "%linear2: float32[8, 16] = dot_general(%relu1, %linear2/kernel) {lhs_contracting = [1], rhs_contracting = "
          "[0]} from(module=\"linear2" +
          at +
          ":9:5\")\n"
          "output %linear2\n");
}

TEST(Spec, TakesWeightsFromSeveralFilesOfAnyKind) {
  TemporaryFolder folder;
  std::string text = kPerceptron;
  text.replace(text.find("\"perceptron.npz\""), 16, "[\"a.safetensors\", \"b.npz\"]");
  Arrays a = perceptron_weights(), b;
  b.insert(a.extract("linear2/kernel"));
  ASSERT_TRUE(write_file(folder / "mlp.json", text).ok());
  ASSERT_TRUE(write_safetensors(folder / "a.safetensors", a).ok());
  ASSERT_TRUE(write_npz(folder / "b.npz", b).ok());
  EXPECT_TRUE(read_spec(folder / "mlp.json").ok()) << read_spec(folder / "mlp.json").status().text();
  b.emplace("linear1/bias", HostTensor(ValueType::kF32, {64}));
  ASSERT_TRUE(write_npz(folder / "b.npz", b).ok());
  EXPECT_EQ(read_spec(folder / "mlp.json").status().text(),
            (folder / "b.npz") + ": linear1/bias: stands in '" + (folder / "a.safetensors") + "' too");
}

TEST(Spec, NamesAMissingWeightFile) {
  TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "mlp.json", kPerceptron).ok());
  EXPECT_EQ(read_spec(folder / "mlp.json").status().text(), (folder / "perceptron.npz") + ": there is no such file");
}

TEST(Spec, NarrowsFloat64Weights) {
  const auto out = run_model(one_node("[1, 2]", R"({"op": "linear", "module": "l"})"), {floats({1, 2}, {2, 3})},
                             {{"l/kernel", HostTensor::of<double>(ValueType::kF64, {2, 1}, {0.5, 0.25})}});
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0], floats({1, 1}, {1.75f}));
}

TEST(Spec, RefusesWeightsThatAreNotFinite) {
  EXPECT_EQ(error_of(one_node("[1, 2]", R"({"op": "linear", "module": "l"})"),
                     {{"l/kernel", floats({2, 1}, {1, std::numeric_limits<float>::infinity()})}}),
            "m.json:1:75: l/kernel: kernel: element 1 is NaN or infinite");
}

TEST(Spec, KeepsTheRuleBlockOfALayer) {
  auto model = read_model(one_node("[1, 2]", R"({"op": "relu", "module": "act", "quantization": {"bit_width": 4}})"));
  ASSERT_TRUE(model.ok()) << model.status().text();
  ASSERT_EQ(model->layer_rules.size(), 1u);
  EXPECT_EQ(model->layer_rules[0].node, "relu0");
  EXPECT_EQ(model->layer_rules[0].module_path, "act");
  EXPECT_EQ(*model->layer_rules[0].json->find("bit_width")->integer(), 4);
}

TEST(Spec, ReportsAllProblemsAtOnce) {
  EXPECT_EQ(
      error_of(R"({
  "inputs": [{"name": "x", "shape": [8, 16], "tpye": "int8"}],
  "nodes": [
    {"id": "a", "op": "liner", "module": "l"},
    {"id": "b", "op": "relu", "inputs": ["a"]},
    {"id": "c", "op": "max_pool", "inputs": ["y"], "windw": 2},
    {"id": "b", "op": "softmax", "inputs": ["b"]}
  ],
  "outputs": ["d"],
  "extra": 1
})"),
      "m.json:2:46: x: unknown field 'tpye'; did you mean 'type'?\n"
      "m.json:4:23: a: op: there is no op 'liner'; did you mean 'linear'?\n"
      "m.json:6:46: c: inputs: there is no input, earlier node or array 'y'\n"
      "m.json:6:52: c: unknown field 'windw'; did you mean 'window'?\n"
      "m.json:7:5: the name 'b' is used twice; give every input and node its own id\n"
      "m.json:9:14: outputs: there is no node 'd'; known are: a, b, c, x\n"
      "m.json:10:3: unknown field 'extra'; known are: name, description, allow_unused_weights, rules, types, inputs, "
      "nodes, outputs");
}

TEST(Spec, SaysWhatIsWrongWithANode) {
  const Arrays weights = {{"l/kernel", floats({2, 3}, {1, 2, 3, 4, 5, 6})}};
  const struct {
    const char* shape;
    const char* node;
    const char* error;
  } cases[] = {
      {"[1, 4]", R"({"op": "linear", "module": "l"})",
       "linear0: kernel: 'l/kernel' takes 2 features, the input 'x' of shape 1x4 has 4"},
      {"[1, 3]", R"({"op": "linear", "module": "l"})",
       "linear0: kernel: 'l/kernel' takes 2 features, the input 'x' of shape 1x3 has 3; a kernel of [out, in] needs "
       "\"kernel_layout\": \"oi\""},
      {"[1, 2]", R"({"op": "linear", "module": "k"})",
       "linear0: kernel: there is no array 'k/kernel' in the weights; did you mean 'l/kernel'?"},
      {"[1, 2]", R"({"op": "linear", "module": "l", "bias": true})",
       "linear0: bias: there is no array 'l/bias' in the weights"},
      {"[1, 2]", R"({"op": "conv", "module": "l"})",
       "conv0: inputs: the input has shape 1x2; expected [images, 1 to 3 spatial axes, channels]"},
      {"[1, 2]", R"({"op": "add", "inputs": ["x"]})", "add0: inputs: add takes 2, not 1"},
      {"[1, 2]", R"({"op": "reshape", "shape": [3]})",
       "reshape0: shape: 3 has another number of elements than the input of shape 1x2"},
      {"[1, 2]", R"({"op": "reshape", "shape": [-1, -1]})", "reshape0: shape: has more than one -1"},
      {"[1, 2]", R"({"op": "softmax", "axis": 2})", "softmax0: axis: axis 2 is outside the 2 axes"},
      {"[1, 2]", R"({"op": "clamp"})", "clamp0: min: neither 'min' nor 'max' is given"},
      {"[1, 2]", R"({"op": "quantize", "type": "int9", "scale": 1})",
       "quantize0: type: there is no quantized type 'int9'; did you mean 'int2'?"},
      {"[1, 2]", R"({"op": "einsum", "module": "l", "equation": "bb,bf->f"})",
       "einsum0: equation: the index 'b' is repeated in 'bb'"},
      {"[1, 2]", R"({"op": "einsum", "module": "l", "equation": "bd,ef->bf"})",
       "einsum0: equation: the index 'd' of one operand alone is summed over"},
      {"[1, 2]", R"({"op": "dot_general", "module": "l", "dimension_numbers": [[1], [0]]})",
       "dot_general0: dimension_numbers: expected [[[lhs contracting], [rhs contracting]], [[lhs batch], [rhs "
       "batch]]], "
       "lists of axes"},
      {"[1, 2]", R"({"op": "split", "sections": 3})",
       "split0: sections: an axis of 2 has no 3 equal parts; give the extent of each part"},
      {"[1, 5, 2]", R"({"op": "avg_pool"})", "avg_pool0: window: is missing"},
      {"[1, 2]", R"({"op": "relu", "inputs": 3})", "relu0: inputs: expected a list of names, found an integer"},
  };
  for (const auto& c : cases) {
    std::string text = one_node(c.shape, c.node);
    text.insert(text.size() - 1, ", \"allow_unused_weights\": true");
    std::string error = error_of(text, weights);
    const size_t place = error.find(": ");
    EXPECT_TRUE(error.starts_with("m.json:1:")) << error;
    EXPECT_EQ(error.substr(std::min(place + 2, error.size())), c.error) << c.node;
  }
}

TEST(Spec, SaysWhichWeightNoNodeUses) {
  EXPECT_EQ(error_of(one_node("[1, 2]", R"({"op": "linear", "module": "l"})"),
                     {{"l/kernel", floats({2, 1}, {1, 1})}, {"l/bais", floats({1}, {1})}}),
            "m.json:1:1: weights: no node uses the array 'l/bais'; name it in a node, remove it, or set "
            "\"allow_unused_weights\": true");
}

TEST(Spec, TellsFloatLayersHowQuantizedWeightsAreNamed) {
  EXPECT_EQ(error_of(one_node("[1, 2]", R"({"op": "linear", "module": "l"})"),
                     {{"l/kernel", HostTensor::of<int8_t>(ValueType::kI8, {2, 1}, {1, 1})}}),
            "m.json:1:75: linear0: multiplies float32 with int8; give both as floats or both as integers; quantized "
            "weights of a float layer are <name>.qvalue and <name>.scale");
}

TEST(Spec, ChecksTheShapesOfQuantizedWeights) {
  const std::string text = one_node("[1, 4]", R"({"op": "linear", "module": "l"})");
  const HostTensor q(ValueType::kI8, {4, 2});
  EXPECT_EQ(error_of(text, {{"l/kernel.qvalue", q}}),
            "m.json:1:75: linear0: kernel: the weights have 'l/kernel.qvalue' and no 'l/kernel.scale'");
  EXPECT_EQ(
      error_of(text, {{"l/kernel.qvalue", q}, {"l/kernel.scale", floats({3, 2}, {1, 1, 1, 1, 1, 1})}}),
      "m.json:1:75: linear0: kernel: scale 3x2 does not fit the values of shape 4x2; give it the same rank and on "
      "every axis an extent that divides the values'");
  auto model = read_model(text, {{"l/kernel.qvalue", q}, {"l/kernel.scale", floats({2, 2}, {1, 1, 1, 1})}});
  ASSERT_TRUE(model.ok()) << model.status().text();
  const Graph& g = model->graph;
  ASSERT_TRUE(g[g.find("l/kernel.qvalue")].quantization.has_value());
  EXPECT_EQ(g[g.find("l/kernel.qvalue")].quantization->tile, (Shape{2, 1}));
  EXPECT_EQ(g.nodes[0].op, "pointwise");
  EXPECT_EQ(g.nodes[0].outputs[0], g.find("l/kernel"));
}

TEST(Spec, GivesArraysTheTypesThatTheSpecStates) {
  const std::string text = R"({"inputs": [{"name": "x", "shape": [1, 2]}], "types": {"l/kernel.qvalue": "int4"},
                               "nodes": [{"op": "linear", "module": "l"}]})";
  Arrays weights = {{"l/kernel.qvalue", HostTensor::of<int8_t>(ValueType::kI8, {2, 1}, {7, -8})},
                    {"l/kernel.scale", floats({1, 1}, {1})}};
  auto model = read_model(text, weights);
  ASSERT_TRUE(model.ok()) << model.status().text();
  EXPECT_EQ(model->graph[model->graph.find("l/kernel.qvalue")].type.type, ValueType::kI4);
  weights["l/kernel.qvalue"].set_int(0, 8);
  EXPECT_EQ(error_of(text, weights),
            "m.json:2:42: l/kernel.qvalue: kernel: element 0 is 8, outside the range -8..7 of int4");
}

TEST(Spec, RefusesInputsOfSizesThatOverflow) {
  EXPECT_EQ(error_of(one_node("[1099511627776, 1099511627776]", R"({"op": "relu"})")),
            "m.json:1:36: x: shape: shape 1099511627776x1099511627776 has more than 2^40 elements");
}

}  // namespace
}  // namespace qlathe
