#include "bench/speed/models.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <cstring>

#include "api/pipeline.h"
#include "api/sample_inputs.h"
#include "api/support.h"
#include "frontend/reference/reference_executor.h"

namespace qlathe::bench {

/// splitmix64 (Steele, Lea, Flood 2014).
uint64_t Numbers::bits() {
  uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

float Numbers::real(float lo, float hi) {
  return lo + (hi - lo) * static_cast<float>(bits() >> 40) * (1.0f / 16777216.0f);
}

HostTensor Numbers::tensor(ValueType type, const Shape& shape, float bound) {
  HostTensor out(type, shape);
  if (type == ValueType::kF32) {
    for (float& v : out.as<float>())
      v = real(-bound, bound);
    return out;
  }
  const auto range = static_cast<uint64_t>(info(type).max - info(type).min) + 1;
  for (int64_t i = 0; i < out.size(); i++)
    out.set_int(i, info(type).min + static_cast<int64_t>((bits() >> 16) % range));
  return out;
}

Result<Graph> graph_of(const std::string& spec, Weights weights) {
  QL_ASSIGN(JsonDocument document, parse_json("spec", spec));
  const auto shared = std::make_shared<const JsonDocument>(std::move(document));
  QL_ASSIGN(SpecModel model, read_spec_model(shared, shared->root, MemoryWeights(std::move(weights)), {}));
  return std::move(model.graph);
}

Result<Graph> quantized(const Graph& graph, const std::string& rules) {
  QL_ASSIGN(const RuleList list, parse_rules("rules", rules));
  QuantStats statistics;
  QuantizeOptions options;
  const bool wants_statistics = rules.find("act_static_scale") != std::string::npos;
  if (wants_statistics) {
    ReferenceExecutor reference;
    const CalibrationBatches batches = {sample_inputs(graph, 3)};
    QL_ASSIGN(statistics, calibrate(graph, list, batches_of(batches), reference));
    options.statistics = &statistics;
  }
  QL_ASSIGN(QuantizedGraph out, quantize(graph, list, options));
  return std::move(out.graph);
}

namespace {

/// Bias, and the step from the sums to bytes that are spread over their range: sums of `terms` products of a u8 and an
/// s8 have a deviation of some 147 * 74 * sqrt(terms).
struct Requantization {
  HostTensor bias;
  std::string node;
};

Requantization requantization(Numbers& numbers, int64_t terms, int64_t channels) {
  Requantization out{HostTensor(ValueType::kI32, {channels}), ""};
  std::string scales;
  for (int64_t i = 0; i < channels; i++) {
    out.bias.set_int(i, static_cast<int64_t>(numbers.bits() >> 16) % 20001 - 10000);
    const double spread = 147.0 * 74 * std::sqrt(static_cast<double>(terms));
    scales += fmt::format("{}{:.9g}", i == 0 ? "" : ", ", numbers.real(40, 60) / spread);
  }
  out.node = R"({"op": "requantize", "type": "uint8", "scale": [)" + scales + R"(], "zero_point": 128})";
  return out;
}

std::string input(const std::string& shape, const char* type) {
  return R"({"name": "layer", "inputs": [{"name": "x", "shape": [)" + shape + R"(], "type": ")" + type + "\"}],";
}

Result<Graph> integer_windows(const char* op, int64_t size, int64_t kernel, int64_t k, const Shape& weights,
                              int64_t terms, int64_t stride, const std::string& padding) {
  Numbers numbers(7);
  const Requantization bytes = requantization(numbers, terms, weights.back());
  // The input that gives size / stride results.
  const int64_t extent = padding == "VALID" ? ((size + stride - 1) / stride - 1) * stride + kernel : size;
  return graph_of(
      input(fmt::format("1, {0}, {0}, {1}", extent, k), "uint8") +
          fmt::format(R"("nodes": [{{"id": "c", "op": "{}", "strides": {}, "padding": "{}"}}, )", op, stride, padding) +
          bytes.node + "]}",
      {{"c/kernel", numbers.tensor(ValueType::kI8, weights)}, {"c/bias", bytes.bias}});
}

}  // namespace

Result<Graph> integer_gemm(int64_t m, int64_t k, int64_t n) {
  Numbers numbers(7);
  const Requantization bytes = requantization(numbers, k, n);
  return graph_of(
      input(fmt::format("{}, {}", m, k), "uint8") + R"("nodes": [{"id": "c", "op": "linear"}, )" + bytes.node + "]}",
      {{"c/kernel", numbers.tensor(ValueType::kI8, {k, n})}, {"c/bias", bytes.bias}});
}

Result<Graph> integer_conv(int64_t size, int64_t kernel, int64_t k, int64_t n, int64_t stride,
                           const std::string& padding) {
  return integer_windows("conv", size, kernel, k, {kernel, kernel, k, n}, kernel * kernel * k, stride, padding);
}

Result<Graph> integer_depthwise(int64_t size, int64_t kernel, int64_t channels, int64_t stride,
                                const std::string& padding) {
  return integer_windows("depthwise_conv", size, kernel, channels, {kernel, kernel, 1, channels}, kernel * kernel,
                         stride, padding);
}

Result<Graph> matrix_vector(int64_t k, int64_t n, const std::string& rules) {
  Numbers numbers(7);
  QL_ASSIGN(const Graph graph,
            graph_of(input(fmt::format("1, {}", k), "float32") + R"("nodes": [{"id": "c", "op": "linear"}]})",
                     {{"c/kernel", numbers.tensor(ValueType::kF32, {k, n})}}));
  return quantized(graph, rules);
}

Result<Graph> one_op(const std::string& fields, const Shape& shape, ValueType type, int inputs) {
  std::string declared, used;
  for (const char* const name : {"x", "y"}) {
    if (inputs == 1 && *name == 'y') break;
    const char* const comma = declared.empty() ? "" : ", ";
    declared += fmt::format(R"({}{{"name": "{}", "shape": [{}], "type": "{}"}})", comma, name, fmt::join(shape, ", "),
                            qlathe::name(type));
    used += fmt::format("{}\"{}\"", comma, name);
  }
  return graph_of(
      fmt::format(R"({{"name": "op", "inputs": [{}], "nodes": [{{{}, "inputs": [{}]}}]}})", declared, fields, used),
      {});
}

Result<Graph> perceptron() {
  Numbers numbers(7);
  QL_ASSIGN(const Graph graph, graph_of(input("8, 16", "float32") + R"("nodes": [{"id": "linear1", "op": "linear"},
                                            {"op": "relu"}, {"id": "linear2", "op": "linear"}]})",
                                        {{"linear1/kernel", numbers.tensor(ValueType::kF32, {16, 64})},
                                         {"linear1/bias", numbers.tensor(ValueType::kF32, {64})},
                                         {"linear2/kernel", numbers.tensor(ValueType::kF32, {64, 16})},
                                         {"linear2/bias", numbers.tensor(ValueType::kF32, {16})}}));
  return quantized(graph, R"([{"weight_qtype": "int8", "act_qtype": "int8", "act_static_scale": true}])");
}

}  // namespace qlathe::bench
