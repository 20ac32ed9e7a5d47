#include <gtest/gtest.h>

#include <cmath>

#include "frontend/reference/reference_executor.h"
#include "frontend/rules/brevitas_quantize.h"
#include "tests/rules/layer_graph.h"
#include "tests/rules/onnx_initializers.h"
#include "tests/support/golden_case.h"

// LeNet-5 in the three variants of the reference data: float weights (or, where the reference kept none, its
// dequantized ones) and a rule list go in; the stored weights and scales must come out, and outputs within the case's
// tolerance.

namespace qlathe {
namespace {

using testing::GoldenCase;

struct Layer {
  const char* name;
  Shape shape;
};
const Layer kLayers[] = {
    {"conv1", {6, 3, 5, 5}}, {"conv2", {16, 6, 5, 5}}, {"fc1", {120, 400}}, {"fc2", {84, 120}}, {"fc3", {10, 84}}};

struct Parameters {
  std::map<std::string, HostTensor> weights, biases;
};

// Exported float weights keep their shape but not always their name.
Parameters float_parameters(const GoldenCase& c) {
  Parameters p;
  const auto arrays = testing::onnx_initializers(c.folder / "model_dynamo.onnx");
  for (const Layer& layer : kLayers) {
    p.biases[layer.name] = arrays.at(std::string(layer.name) + ".bias");
    for (const auto& [name, array] : arrays)
      if (array.shape() == layer.shape && array.type() == ValueType::kF32) p.weights[layer.name] = array;
  }
  return p;
}

// weight_int * weight_scale, and the exported int32 biases times the scale stored beside them.
Parameters dequantized_parameters(const GoldenCase& c) {
  Parameters p;
  const auto arrays = testing::onnx_initializers(c.folder / "model.onnx");
  for (const Layer& layer : kLayers) {
    const HostTensor stored = c.array(std::string(layer.name) + ".weight_int");
    const float scale = c.array(std::string(layer.name) + ".weight_scale").as<float>()[0];
    HostTensor weight(ValueType::kF32, stored.shape());
    for (int64_t i = 0; i < weight.size(); i++)
      weight.as<float>()[static_cast<size_t>(i)] = static_cast<float>(stored.int_at(i)) * scale;
    p.weights[layer.name] = weight;
  }
  const float input_scales[] = {c.json["layers"]["quant_inp"]["scale"][0], c.json["layers"]["relu1"]["scale"][0],
                                c.json["layers"]["relu2"]["scale"][0], c.json["layers"]["relu3"]["scale"][0],
                                c.json["layers"]["relu4"]["scale"][0]};
  for (size_t l = 0; l < std::size(kLayers); l++) {
    const std::string name = kLayers[l].name;
    const HostTensor& stored = arrays.at("/" + name + "/bias_quant/export_handler/Constant_output_0");
    const float scale = input_scales[l] * c.array(name + ".weight_scale").as<float>()[0];
    HostTensor bias(ValueType::kF32, stored.shape());
    for (int64_t i = 0; i < bias.size(); i++)
      bias.as<float>()[static_cast<size_t>(i)] = static_cast<float>(stored.int_at(i)) * scale;
    p.biases[name] = bias;
  }
  return p;
}

Graph lenet(const Parameters& p) {
  testing::LayerGraph g({2, 32, 32, 3});
  g.conv("conv1", p.weights.at("conv1"), &p.biases.at("conv1")).activation("relu1", "relu").max_pool("pool1", 2);
  g.conv("conv2", p.weights.at("conv2"), &p.biases.at("conv2")).activation("relu2", "relu").max_pool("pool2", 2);
  g.flatten("flatten");
  g.linear("fc1", p.weights.at("fc1"), &p.biases.at("fc1")).activation("relu3", "relu");
  g.linear("fc2", p.weights.at("fc2"), &p.biases.at("fc2")).activation("relu4", "relu");
  g.linear("fc3", p.weights.at("fc3"), &p.biases.at("fc3"));
  return g.finish();
}

// One rule a layer, as the case lists its layers.
std::string rules_of(const GoldenCase& c, bool biases) {
  nlohmann::ordered_json rules = nlohmann::ordered_json::array();
  for (const auto& [name, layer] : c.json["layers"].items()) {
    nlohmann::ordered_json rule = {{"_type", "BrevitasRule"}};
    rule["module_path"] = name == "quant_inp" ? "x" : name;
    if (layer.contains("weight_bit_width")) {
      rule["weight_quant"] = "Int8WeightPerTensorFloat";
      rule["weight_bit_width"] = static_cast<int>(layer["weight_bit_width"].get<double>());
      if (biases) rule["bias_quant"] = "Int32Bias";
    } else {
      rule["act_quant"] = layer["signed"].get<bool>() ? "Int8ActPerTensorFloat" : "Uint8ActPerTensorFloat";
      rule["act_bit_width"] = static_cast<int>(layer["bit_width"].get<double>());
      rule["act_scale"] = layer["scale"][0];
    }
    rules.push_back(rule);
  }
  return rules.dump();
}

const HostTensor* constant(const Graph& graph, const std::string& name) {
  const TensorId id = graph.find(name);
  return id.valid() ? graph[id].data.get() : nullptr;
}

class BrevitasLenet : public ::testing::TestWithParam<const char*> {};

TEST_P(BrevitasLenet, GivesTheStoredWeightsAndTheOutputs) {
  const auto folder = testing::shared_folder() / "golden" / "brevitas" / GetParam();
  if (testing::shared_folder().empty()) GTEST_SKIP() << "no reference data: set QLATHE_SHARED";
  const GoldenCase c = GoldenCase::open(folder);
  const bool biases = std::string(GetParam()) == "lenet_wab";
  const Parameters parameters = biases ? dequantized_parameters(c) : float_parameters(c);
  const Graph graph = lenet(parameters);
  const auto rules = parse_rules("rules.json", rules_of(c, biases));
  ASSERT_TRUE(rules.ok()) << rules.status().text();
  const auto targets = brevitas_targets(graph, *rules);
  ASSERT_TRUE(targets.ok()) << targets.status().text();
  EXPECT_EQ(targets->size(), c.json["layers"].size());
  ReferenceExecutor executor;
  const auto result = quantize_brevitas(graph, *targets, {}, executor);
  ASSERT_TRUE(result.ok()) << result.status().text();

  for (const Layer& layer : kLayers) {
    const std::string name = layer.name;
    const HostTensor* stored = constant(result->graph, name + ".kernel");
    const HostTensor* scale = constant(result->graph, name + ".kernel_scale");
    ASSERT_TRUE(stored && scale) << name;
    const HostTensor wanted =
        testing::transposed(c.array(name + ".weight_int"),
                            layer.shape.size() == 4 ? std::vector<size_t>{2, 3, 1, 0} : std::vector<size_t>{1, 0});
    int64_t different = 0;
    for (int64_t i = 0; i < wanted.size(); i++)
      different += stored->int_at(i) != wanted.int_at(i);
    EXPECT_EQ(different, 0) << name << ": stored weights";
    EXPECT_EQ(scale->as<float>()[0], c.array(name + ".weight_scale").as<float>()[0]) << name;
    if (!biases) continue;
    const HostTensor* bias = constant(result->graph, name + ".bias");
    ASSERT_TRUE(bias) << name;
    EXPECT_EQ(bias->type(), ValueType::kI32);
    const auto exported = testing::onnx_initializers(folder / "model.onnx")
                              .at("/" + name + "/bias_quant/export_handler/Constant_output_0");
    EXPECT_TRUE(*bias == exported) << name << ": stored biases";
  }
  for (const Node& node : result->graph.nodes) {
    if (node.op != "conv" && node.op != "dot_general") continue;
    const bool integer = result->graph[node.inputs[0]].type.type != ValueType::kF32;
    EXPECT_EQ(integer, std::string(GetParam()) != "lenet_w") << node.origin.name;
  }

  const HostTensor input = testing::transposed(c.array("input"), {0, 2, 3, 1});
  const auto output = run_reference(result->graph, {input});
  ASSERT_TRUE(output.ok()) << output.status().text();
  const HostTensor wanted = c.array("output");
  ASSERT_EQ(output->at(0).shape(), wanted.shape());
  float largest = 0;
  float distance = 0;
  for (size_t i = 0; i < wanted.as<float>().size(); i++) {
    largest = std::max(largest, std::fabs(wanted.as<float>()[i]));
    distance = std::max(distance, std::fabs(wanted.as<float>()[i] - output->at(0).as<float>()[i]));
  }
  const float tolerance = c.json["tolerance"]["output_rel_to_max"];
  EXPECT_LE(distance, tolerance * largest);
  std::cout << GetParam() << ": outputs differ by " << distance / largest << " of the largest (allowed " << tolerance
            << ")\n";
}

INSTANTIATE_TEST_SUITE_P(Variants, BrevitasLenet, ::testing::Values("lenet_w", "lenet_wa", "lenet_wab"));

}  // namespace
}  // namespace qlathe
