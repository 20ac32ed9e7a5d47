#pragma once
#include <functional>
#include <vector>

#include "frontend/ir/executor.h"
#include "frontend/rules/quantize.h"

namespace qlathe {

/// What runs while statistics are collected.
enum class CalibrationForward {
  /// As the reference does it: the model that quantize() would make, each static activation with the running average of
  /// its statistics so far, this batch included. Later layers see what earlier ones lose.
  kQuantized,
  /// The float model: nothing is quantized.
  kFloat,
};

/// Batches of inputs: batch i, one tensor per graph input.
struct Batches {
  size_t count = 0;
  std::function<Result<std::vector<HostTensor>>(size_t)> load;
};
Batches batches_of(const std::vector<std::vector<HostTensor>>& batches);

struct CalibrateOptions {
  CalibrationForward forward = CalibrationForward::kQuantized;
  QuantizeOptions quantize;  ///< params given quantized; statistics and static_scales are not read
  std::function<void(size_t done, size_t total)> progress;
};

/// Statistics of every static activation that the rules ask for: for each batch what calibrate() gives, averaged over
/// act_batch_axes, summed over the batches in float32. Empty where nothing is static. Errors: those of quantize(), no
/// batches, and the executor's.
Result<QuantStats> calibrate(const Graph& graph, const RuleList& rules, const Batches& batches, Executor& executor,
                             const CalibrateOptions& options = {});

}  // namespace qlathe
