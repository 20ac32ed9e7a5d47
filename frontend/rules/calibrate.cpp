#include "frontend/rules/calibrate.h"

#include <algorithm>
#include <cmath>

#include "frontend/rules/quantizer.h"

namespace qlathe {
namespace {

/// The sums of one static activation: graph input before a batch, graph output after it.
struct Sums {
  std::string name;
  std::vector<Shape> shapes;  // absmax, or min and max
  bool asymmetric = false;
};

/// Builds the graph of one calibration step. Its inputs are the model's, then count and 1 / count (float32 scalars),
/// then the sums so far; its outputs are the new sums.
class CalibrationGraph : public Quantizer {
 public:
  CalibrationGraph(const Graph& from, const RuleList& rules, const QuantizeOptions& options, CalibrationForward forward)
      : Quantizer(from, rules, options), forward_(forward) {}

  std::vector<Sums> sums;

 protected:
  bool quantizes() const override { return forward_ == CalibrationForward::kQuantized; }

  Result<ScaleTensors> static_scale(NodeBuilder& builder, const std::string& name, TensorId x, const HowToQuantize& how,
                                    const QwixRule& rule) override {
    const ValueType type = builder.type(x);
    const std::string suffix = "/" + name.substr(name.size() - 3);  // lhs or rhs
    QL_ASSIGN(const StatisticTensors batch, add_statistics(builder, suffix, x, how));
    QL_ASSIGN(const StatisticTensors mean, add_batch_mean(builder, suffix, batch, rule.act_batch_axes, type));
    if (!count_.valid()) {
      count_ = out_.graph.add_input("calibration/count", {ValueType::kF32, {}});
      reciprocal_ = out_.graph.add_input("calibration/reciprocal_count", {ValueType::kF32, {}});
    }
    Sums record{name, {}, mean.asymmetric()};
    StatisticTensors average;
    const auto accumulate = [&](const char* what, TensorId value) -> Result<TensorId> {
      if (!value.valid()) return kNone;
      const Shape shape = builder.shape(value);
      record.shapes.push_back(shape);
      const TensorId sum = out_.graph.add_input(name + "/sum_of_" + what, {ValueType::kF32, shape});
      QL_ASSIGN(const TensorId next,
                builder.pointwise(suffix + ".sum_of_" + what, value, Chain().step("add", ValueType::kF32, {sum})));
      results_.push_back(next);
      Chain divide;
      if (division_of(element_count(shape), 1) == Division::kReciprocal) {
        divide.step("mul", type, {reciprocal_});
      } else {
        divide.step("div", type, {count_});
      }
      return builder.pointwise(suffix + ".average_" + what, next, divide);
    };
    QL_ASSIGN(average.absmax, accumulate("absmax", mean.absmax));
    QL_ASSIGN(average.hi, accumulate("max", mean.hi));
    QL_ASSIGN(average.lo, accumulate("min", mean.lo));
    sums.push_back(std::move(record));
    return add_scale(builder, suffix, average, *how.format, type);
  }

  Status finish() override {
    out_.graph.outputs = results_;
    return {};
  }

 private:
  CalibrationForward forward_;
  TensorId count_, reciprocal_;
  std::vector<TensorId> results_;
};

Result<QuantStats> collect(const std::vector<Sums>& sums, const std::vector<HostTensor>& values, size_t count) {
  QuantStats out;
  Status problems;
  size_t at = 0;
  for (const Sums& one : sums) {
    for (size_t k = at; k < at + one.shapes.size(); k++) {
      const auto sum = values[k].as<float>();
      if (std::all_of(sum.begin(), sum.end(), [](float value) { return std::isfinite(value); })) continue;
      problems.merge(Status::user({"", one.name, ""}, "its statistics are NaN or infinite",
                                  "look for NaN, infinities or very large values in the calibration data"));
      break;
    }
    QuantStat stat;
    stat.count = static_cast<int64_t>(count);
    if (one.asymmetric) {
      stat.sums.hi = values[at++];
      stat.sums.lo = values[at++];
    } else {
      stat.sums.absmax = values[at++];
    }
    out[one.name] = std::move(stat);
  }
  if (!problems.ok()) return problems;
  return out;
}

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
  if (builder.sums.empty()) return QuantStats();
  if (batches.count == 0) return Status::user({}, "no batches to calibrate with", "give at least one");
  QL_ASSIGN(const std::unique_ptr<Executable> executable, executor.prepare(step.graph));

  std::vector<HostTensor> values;
  for (const Sums& one : builder.sums) {
    for (const Shape& shape : one.shapes)
      values.emplace_back(ValueType::kF32, shape);  // zeros
  }
  for (size_t i = 0; i < batches.count; ++i) {
    QL_ASSIGN(std::vector<HostTensor> inputs, batches.load(i));
    if (inputs.size() != graph.inputs.size()) {
      return Status::user({}, "batch " + std::to_string(i) + " has " + std::to_string(inputs.size()) +
                                  " tensors, the model has " + std::to_string(graph.inputs.size()) + " inputs");
    }
    const auto count = static_cast<float>(i + 1);
    // In the order in which static_scale added the inputs: the two counts came with the first activation.
    inputs.push_back(HostTensor::scalar(count));
    inputs.push_back(HostTensor::scalar(1.0f / count));
    inputs.insert(inputs.end(), values.begin(), values.end());
    QL_ASSIGN(values, executable->run(inputs));
    if (options.progress) options.progress(i + 1, batches.count);
  }
  return collect(builder.sums, values, batches.count);
}

}  // namespace qlathe
