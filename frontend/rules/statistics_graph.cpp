#include "frontend/rules/statistics_graph.h"

#include <algorithm>
#include <cmath>

namespace qlathe {

Result<ScaleTensors> StatisticsGraph::static_scale(NodeBuilder& builder, const std::string& name, TensorId x,
                                                   const HowToQuantize& how, const std::vector<int64_t>& batch_axes) {
  const ValueType type = builder.type(x);
  const std::string suffix = "/" + name.substr(name.size() - 3);  // lhs or rhs
  QL_ASSIGN(const StatisticTensors batch, add_statistics(builder, suffix, x, how));
  QL_ASSIGN(const StatisticTensors mean, add_batch_mean(builder, suffix, batch, batch_axes, type));
  if (!count_.valid()) {
    count_ = graph_.add_input("calibration/count", {ValueType::kF32, {}});
    reciprocal_ = graph_.add_input("calibration/reciprocal_count", {ValueType::kF32, {}});
  }
  Sums record{name, {}, mean.asymmetric()};
  StatisticTensors average;
  const auto accumulate = [&](const char* what, TensorId value) -> Result<TensorId> {
    if (!value.valid()) return kNone;
    const Shape shape = builder.shape(value);
    record.shapes.push_back(shape);
    const TensorId sum = graph_.add_input(name + "/sum_of_" + what, {ValueType::kF32, shape});
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
  sums_.push_back(std::move(record));
  return add_scale(builder, suffix, average, *how.format, type);
}

Result<QuantStats> StatisticsGraph::collect(const std::vector<HostTensor>& values, size_t count) const {
  QuantStats out;
  Status problems;
  size_t at = 0;
  for (const Sums& one : sums_) {
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

Result<QuantStats> StatisticsGraph::run(const Graph& step, size_t inputs, const Batches& batches, Executor& executor,
                                        const std::function<void(size_t, size_t)>& progress) const {
  if (sums_.empty()) return QuantStats();
  if (batches.count == 0) return Status::user({}, "no batches to calibrate with", "give at least one");
  QL_ASSIGN(const std::unique_ptr<Executable> executable, executor.prepare(step));

  std::vector<HostTensor> values;
  for (const Sums& one : sums_) {
    for (const Shape& shape : one.shapes)
      values.emplace_back(ValueType::kF32, shape);  // zeros
  }
  for (size_t i = 0; i < batches.count; ++i) {
    QL_ASSIGN(std::vector<HostTensor> given, batches.load(i));
    if (given.size() != inputs) {
      return Status::user({}, "batch " + std::to_string(i) + " has " + std::to_string(given.size()) +
                                  " tensors, the model has " + std::to_string(inputs) + " inputs");
    }
    const auto count = static_cast<float>(i + 1);
    // In the order in which static_scale added the inputs: the two counts came with the first activation.
    given.push_back(HostTensor::scalar(count));
    given.push_back(HostTensor::scalar(1.0f / count));
    given.insert(given.end(), values.begin(), values.end());
    QL_ASSIGN(values, executable->run(given));
    if (progress) progress(i + 1, batches.count);
  }
  return collect(values, batches.count);
}

}  // namespace qlathe
