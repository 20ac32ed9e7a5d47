#pragma once
#include <string>
#include <vector>

#include "frontend/rules/activation_nodes.h"
#include "frontend/rules/calibrate.h"

namespace qlathe {

/// What collects statistics in the graph of one calibration step. The graph's inputs are the model's, then count and
/// 1 / count (float32 scalars), then the sums so far; its outputs are the new sums.
class StatisticsGraph {
 public:
  explicit StatisticsGraph(Graph& graph) : graph_(graph) {}

  /// The scale by the running average, this batch included.
  Result<ScaleTensors> static_scale(NodeBuilder& builder, const std::string& name, TensorId x, const HowToQuantize& how,
                                    const std::vector<int64_t>& batch_axes);
  const std::vector<TensorId>& results() const { return results_; }

  /// Runs `step`, the graph as it became, over the batches of a model of so many inputs.
  Result<QuantStats> run(const Graph& step, size_t inputs, const Batches& batches, Executor& executor,
                         const std::function<void(size_t done, size_t total)>& progress) const;

 private:
  /// The sums of one static activation: graph input before a batch, graph output after it.
  struct Sums {
    std::string name;
    std::vector<Shape> shapes;  // absmax, or max and min
    bool asymmetric = false;
  };
  Result<QuantStats> collect(const std::vector<HostTensor>& values, size_t count) const;

  Graph& graph_;
  std::vector<Sums> sums_;
  TensorId count_, reciprocal_;
  std::vector<TensorId> results_;
};

}  // namespace qlathe
