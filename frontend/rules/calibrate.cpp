#include "frontend/rules/calibrate.h"

#include "frontend/rules/quantizer.h"
#include "frontend/rules/statistics_graph.h"

namespace qlathe {
namespace {

/// Builds the graph of one calibration step. Its inputs are the model's, then count and 1 / count (float32 scalars),
/// then the sums so far; its outputs are the new sums.
class CalibrationGraph : public Quantizer {
 public:
  CalibrationGraph(const Graph& from, const RuleList& rules, const QuantizeOptions& options, CalibrationForward forward)
      : Quantizer(from, rules, options), forward_(forward) {}

  StatisticsGraph statistics{out_.graph};

 protected:
  bool quantizes() const override { return forward_ == CalibrationForward::kQuantized; }

  Result<ScaleTensors> static_scale(NodeBuilder& builder, const std::string& name, TensorId x, const HowToQuantize& how,
                                    const QwixRule& rule) override {
    return statistics.static_scale(builder, name, x, how, rule.act_batch_axes);
  }

  Status finish() override {
    out_.graph.outputs = statistics.results();
    return {};
  }

 private:
  CalibrationForward forward_;
};

}  // namespace

Batches batches_of(const std::vector<std::vector<HostTensor>>& batches) {
  return {batches.size(), [batches](size_t i) -> Result<std::vector<HostTensor>> { return batches[i]; }};
}

Result<QuantStats> calibrate(const Graph& graph, const RuleList& rules, const Batches& batches, Executor& executor,
                             const CalibrateOptions& options) {
  QuantizeOptions quantize_options = options.quantize;
  quantize_options.statistics = nullptr;
  quantize_options.static_scales.clear();
  CalibrationGraph builder(graph, rules, quantize_options, options.forward);
  QL_ASSIGN(const QuantizedGraph step, builder.run());
  return builder.statistics.run(step.graph, graph.inputs.size(), batches, executor, options.progress);
}

}  // namespace qlathe
