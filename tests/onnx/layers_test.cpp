// Quantized networks layer by layer: what integer sums give against what the graph says in float, each layer fed with
// the graph's own integers.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "frontend/ops/pointwise.h"
#include "frontend/passes/pass_manager.h"
#include "frontend/reference/reference_executor.h"
#include "tests/onnx/model_builder.h"
#include "tests/support/golden_case.h"

namespace qlathe {
namespace {

/// x of a node that is one quantization with one scale; nothing for other nodes.
struct QuantizeNode {
  TensorId x, scale;
};
std::optional<QuantizeNode> quantize_node(const Graph& graph, const Node& node) {
  if (node.op != "pointwise") return std::nullopt;
  const auto& steps = node.as<PointwiseAttrs>().steps;
  if (steps.size() != 1 || steps[0].op != "quantize") return std::nullopt;
  const TensorId scale = node.inputs[static_cast<size_t>(steps[0].operands[0])];
  if (!graph[scale].is_constant() || element_count(graph[scale].shape()) != 1) return std::nullopt;
  return QuantizeNode{node.inputs[0], scale};
}

using Values = std::map<std::string, HostTensor>;

/// Every quantized tensor of the graph as it is written, by name.
Values run_as_written(const Graph& graph, const std::vector<HostTensor>& inputs) {
  Values out;
  ReferenceExecutor executor([&](const Node& node, const auto&, const std::vector<const HostTensor*>& results) {
    if (quantize_node(graph, node)) out[graph[node.outputs[0]].name] = *results[0];
  });
  auto executable = executor.prepare(graph);
  EXPECT_TRUE(executable.ok()) << executable.status().text();
  if (executable.ok()) {
    const auto outputs = (*executable)->run(inputs);
    EXPECT_TRUE(outputs.ok()) << outputs.status().text();
  }
  return out;
}

struct Comparison {
  int layers = 0;
  int64_t elements = 0, differing = 0;
  double farthest = 0;  ///< of a differing element's real value from a rounding boundary, in steps
};

/// Runs the integer graph node by node; every quantized tensor is compared and then replaced by the expected one.
Comparison compare_layers(const Graph& graph, const std::vector<HostTensor>& inputs, const Values& expected) {
  Comparison found;
  std::vector<HostTensor> values(graph.tensors.size());
  for (size_t i = 0; i < graph.tensors.size(); i++) {
    if (graph.tensors[i].is_constant()) values[i] = *graph.tensors[i].data;
  }
  for (size_t i = 0; i < inputs.size(); i++)
    values[static_cast<size_t>(graph.inputs[i].index)] = inputs[i];
  for (const Node& node : graph.nodes) {
    std::vector<const HostTensor*> operands;
    for (TensorId id : node.inputs)
      operands.push_back(id.valid() ? &values[static_cast<size_t>(id.index)] : nullptr);
    const TensorId to = node.outputs[0];
    auto results = evaluate_node(node, operands, {graph[to].type});
    EXPECT_TRUE(results.ok()) << results.status().text();
    if (!results.ok()) return found;
    HostTensor& value = values[static_cast<size_t>(to.index)];
    value = std::move((*results)[0]);
    const auto quantize = quantize_node(graph, node);
    const auto want = expected.find(graph[to].name);
    if (!quantize || want == expected.end() || want->second.shape() != value.shape()) continue;
    found.layers++;
    const HostTensor& x = values[static_cast<size_t>(quantize->x.index)];
    const double scale = static_cast<double>(graph[quantize->scale].data->as<float>()[0]);
    for (int64_t i = 0; i < value.size(); i++) {
      found.elements++;
      const int64_t difference = value.int_at(i) - want->second.int_at(i);
      if (difference == 0) continue;
      found.differing++;
      EXPECT_LE(std::abs(difference), 1) << node.origin.name << " element " << i;
      const double real = static_cast<double>(x.as<float>()[static_cast<size_t>(i)]) / scale;
      found.farthest = std::max(found.farthest, std::abs(real - std::floor(real) - 0.5));
    }
    value = want->second;
  }
  return found;
}

class QuantizedNetwork : public ::testing::TestWithParam<const char*> {};

TEST_P(QuantizedNetwork, DiffersFromItsFloatFormAtRoundingBoundariesOnly) {
  const auto shared = testing::shared_folder();
  const auto folder = shared / "models" / GetParam();
  if (shared.empty() || !std::filesystem::exists(folder)) GTEST_SKIP() << "reference data is not there: " << GetParam();
  const auto names = onnx_inputs((folder / "model.onnx").string());
  ASSERT_TRUE(names.ok()) << names.status().text();
  OnnxOptions options;
  std::vector<HostTensor> inputs;
  for (size_t i = 0; i < names->size(); i++) {
    inputs.push_back(testing::read_npy(folder / ("inputs_0_" + std::to_string(i) + ".npy"), ValueType::kF32));
    options.shapes[(*names)[i]] = inputs.back().shape();
  }
  const auto read = read_onnx((folder / "model.onnx").string(), options);
  ASSERT_TRUE(read.ok()) << read.status().text();
  const auto written = run_passes(*read, {"remove_dead", "sink_transposes", "merge_views"});
  const auto integers = run_passes(*read, import_passes());
  ASSERT_TRUE(written.ok() && integers.ok());
  const Comparison found = compare_layers(*integers, inputs, run_as_written(*written, inputs));
  std::printf("%s: %d layers, %lld of %lld values one step off, at most %.2g steps from a boundary\n", GetParam(),
              found.layers, static_cast<long long>(found.differing), static_cast<long long>(found.elements),
              found.farthest);
  EXPECT_GT(found.layers, 2);
  EXPECT_LE(found.farthest, 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Models, QuantizedNetwork,
                         ::testing::Values("mnist/mnist_cnn_pytorch_qdq_s8s8", "micro_kws/micro_kws_m_static_qdq",
                                           "qdq_networks/resnet_block_qdq", "yunet/yunet_n_320_qdq_u8s8",
                                           "ultraface/slim_320_qdq_s8s8_per_channel",
                                           "super_resolution/espcn_subpixel_qcdq", "mnist/tfc_2w2a_qcdq"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           for (char& c : name)
                             c = c == '/' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace qlathe
