#include "api/layer_error.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "frontend/numerics/convert.h"

namespace qlathe {
namespace {

/// A tensor that both graphs have.
struct Pair {
  const Node* node = nullptr;  ///< that makes it in the float graph
  TensorId in_source, in_quantized;
};

std::vector<Pair> pairs(const Graph& source, const Graph& quantized) {
  std::vector<Pair> out;
  for (const Node& node : source.nodes) {
    const TensorId id = node.outputs[0];
    if (node.origin.rule_op.empty() && !source.is_output(id)) continue;
    const Tensor& tensor = source[id];
    const TensorId other = quantized.find(tensor.name);
    if (!is_float(tensor.type.type) || !other.valid() || quantized[other].is_constant()) continue;
    if (quantized[other].type != tensor.type) continue;
    out.push_back({&node, id, other});
  }
  return out;
}

}  // namespace

Result<std::vector<LayerError>> measure_layers(const Graph& source, const Graph& quantized,
                                               const CalibrationBatches& batches, Executor& executor) {
  const std::vector<Pair> compared = pairs(source, quantized);
  Graph a = source, b = quantized;
  a.outputs.clear();
  b.outputs.clear();
  for (const Pair& pair : compared) {
    a.outputs.push_back(pair.in_source);
    b.outputs.push_back(pair.in_quantized);
  }
  QL_ASSIGN(const auto of_source, executor.prepare(a));
  QL_ASSIGN(const auto of_quantized, executor.prepare(b));
  std::vector<LayerError> out(compared.size());
  std::vector<double> signal(compared.size(), 0), noise(compared.size(), 0);
  for (const std::vector<HostTensor>& batch : batches) {
    QL_ASSIGN(const std::vector<HostTensor> want, of_source->run(batch));
    QL_ASSIGN(const std::vector<HostTensor> got, of_quantized->run(batch));
    for (size_t l = 0; l < out.size(); l++) {
      const std::vector<float> x = to_floats(want[l]), y = to_floats(got[l]);
      for (size_t i = 0; i < x.size(); i++) {
        const double value = static_cast<double>(x[i]), difference = value - static_cast<double>(y[i]);
        signal[l] += value * value;
        noise[l] += difference * difference;
        out[l].largest = std::max(out[l].largest, std::abs(value));
        out[l].difference = std::max(out[l].difference, std::abs(difference));
      }
    }
  }
  for (size_t l = 0; l < out.size(); l++) {
    out[l].layer = source[compared[l].in_source].name;
    out[l].module = compared[l].node->origin.module_path;
    out[l].shape = source[compared[l].in_source].shape();
    out[l].sqnr_db = noise[l] == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(signal[l] / noise[l]);
  }
  return out;
}

}  // namespace qlathe
