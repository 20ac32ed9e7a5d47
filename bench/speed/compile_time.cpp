#include "bench/speed/compile_time.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "bench/speed/models.h"

namespace qlathe::bench {
namespace {

constexpr double kColdSeconds = 4, kCachedSeconds = 0.1;

/// Nodes and weights of a network under construction.
class Network {
 public:
  void conv(int64_t kernel, int64_t in, int64_t out, int64_t stride, const char* activation) {
    add(fmt::format(R"("op": "conv", "strides": {})", stride), {kernel, kernel, in, out}, kernel * kernel * in,
        activation);
  }
  void depthwise(int64_t kernel, int64_t channels, int64_t stride, const char* activation) {
    add(fmt::format(R"("op": "depthwise_conv", "strides": {})", stride), {kernel, kernel, 1, channels}, kernel * kernel,
        activation);
  }
  void linear(int64_t in, int64_t out) { add(R"("op": "linear")", {in, out}, in, ""); }
  void op(const std::string& name) { nodes_ += fmt::format(R"(, {{"op": "{}"}})", name); }

  int layers() const { return layers_; }
  Result<Graph> graph() {
    return graph_of(
        R"({"name": "fifty", "inputs": [{"name": "x", "shape": [1, 32, 32, 3]}], "nodes": [)" + nodes_.substr(2) + "]}",
        weights_);
  }

 private:
  void add(const std::string& fields, const Shape& kernel, int64_t terms, const std::string& activation) {
    const std::string id = fmt::format("layer{}", ++layers_);
    const float bound = 1.7f / std::sqrt(static_cast<float>(terms));
    weights_[id + "/kernel"] = numbers_.tensor(ValueType::kF32, kernel, bound);
    weights_[id + "/bias"] = numbers_.tensor(ValueType::kF32, {kernel.back()}, 0.1f);
    nodes_ += fmt::format(R"(, {{"id": "{}", {}}})", id, fields);
    if (!activation.empty()) op(activation);
  }

  Numbers numbers_{11};
  std::string nodes_;
  Weights weights_;
  int layers_ = 0;
};

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Result<Graph> fifty_layers() {
  Network network;
  network.conv(3, 3, 16, 1, "relu6");
  int64_t channels = 16;
  for (int64_t block = 0; block < 16; block++) {
    const int64_t wide = 3 * channels, next = channels + 8, stride = block == 3 || block == 8 || block == 13 ? 2 : 1;
    network.conv(1, channels, wide, 1, "relu6");
    network.depthwise(block % 3 == 2 ? 5 : 3, wide, stride, "relu6");
    network.conv(1, wide, next, 1, "");
    channels = next;
  }
  network.op("global_avg_pool");
  network.linear(channels, 100);
  QL_CHECK(network.layers() == 50, std::to_string(network.layers()));
  QL_ASSIGN(const Graph graph, network.graph());
  return quantized(graph, R"([{"weight_qtype": "int8", "act_qtype": "int8", "act_static_scale": true}])");
}

std::vector<std::string> compile_time_names() { return {"50 distinct layers, cold", "50 distinct layers, cached"}; }

std::vector<Row> compile_time_rows() {
  std::vector<Row> rows;
  for (const std::string& name : compile_time_names())
    rows.push_back({.group = "compile", .name = name, .target = host_target().name});
  const auto work = [&]() -> Status {
    QL_ASSIGN(const Graph graph, fifty_layers());
    size_t kernels = 0;
    rows[0].seconds = rows[1].seconds = 1e9;
    for (int round = 0; round < 3; round++) {
      const TemporaryFolder cache;
      CompileOptions options;
      options.cache_folder = cache.path();
      for (Row& row : rows) {
        const auto start = std::chrono::steady_clock::now();
        QL_ASSIGN(const std::shared_ptr<const Model> model, Model::compile(graph, options));
        row.seconds = std::min(row.seconds, since(start));
        kernels = model->program().kernels.size();
      }
    }
    rows[0].against = rows[1].against = fmt::format("{} kernels", kernels);
    return {};
  };
  const Status status = work();
  const double aims[] = {kColdSeconds, kCachedSeconds};
  for (size_t i = 0; i < rows.size(); i++) {
    if (!status.ok()) {
      rows[i].problem = status.text();
      continue;
    }
    rows[i].verdicts = {{"Model::compile", fmt::format("under {} s", aims[i]), fmt::format("{:.2f} s", rows[i].seconds),
                         rows[i].seconds < aims[i]}};
  }
  return rows;
}

}  // namespace qlathe::bench
