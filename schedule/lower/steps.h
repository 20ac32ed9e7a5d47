#pragma once
/// Pointwise steps as Halide expressions: the body of element-wise kernels and the epilogue of all others. Only .cpp
/// files that build pipelines include this.
#include <functional>
#include <string>
#include <vector>

#include "frontend/ir/result.h"
#include "frontend/ir/tensor.h"
#include "frontend/ops/pointwise.h"
#include "schedule/lower/value.h"

namespace qlathe {

/// How a kernel gives steps their operands.
struct StepOperands {
  /// The value of node input `i` at the result element in flight (broadcast done), with the input's type and known
  /// bound.
  std::function<FlightValue(int64_t input)> at;
  /// Element `index` (an int32 expression) of node input `i`, a table.
  std::function<FlightValue(int64_t input, Halide::Expr index)> table;
};

/// The value after all steps. Unknown steps are unsupported errors; the caller adds the place.
Result<FlightValue> apply_steps(FlightValue value, const std::vector<PointwiseStep>& steps,
                                const StepOperands& operands);

/// The steps as text, equal for equal steps: part of a kernel's key.
std::string steps_key(const std::vector<PointwiseStep>& steps);

}  // namespace qlathe
