#pragma once
/// Epilogues of 8-bit results as one proven formula: where every step between the accumulator and the stored byte is
/// monotone with constants, the cheapest formula that gives the same integers at every reachable accumulator takes
/// their place.
#include <optional>
#include <string>
#include <vector>

#include "frontend/numerics/proof.h"
#include "frontend/ops/contraction.h"
#include "schedule/lower/lowering.h"

namespace qlathe {

struct RequantChoice {
  RequantFormula formula = RequantFormula::kReference;
  std::vector<RequantConstants> channels;  ///< [slice][n]
  int32_t lo = 0, hi = 0;
  double largest = 0;  ///< magnitude of a reachable result before zero point and limits, of kF32Mul and kF32Shifted

  /// The zero point that is added after rounding, where all channels have the same small one and 16 bits hold the sum.
  std::optional<int32_t> common_zero_point() const;
};

struct RequantRequest {
  const LoweringContext* context = nullptr;
  int64_t groups = 1, n = 1;         ///< result channels are groups * n; operands must be one number or one a channel
  std::vector<PointwiseStep> steps;  ///< what is left after the accumulator
  std::vector<size_t> scales;        ///< slots that are multiplied first, in order
  std::vector<AccumulatorInterval> reachable;  ///< one a channel
  bool shifted = false;                        ///< the kernel can start its sums at RequantConstants::bias
};

/// The choice, or nothing where the steps stay as stated; `note` says why, for the report.
std::optional<RequantChoice> choose_requantization(const RequantRequest& request, std::string& note);

/// The operand's value for each of groups * n channels; nothing where it is no constant or varies along other axes.
std::optional<std::vector<double>> channel_constants(const Tensor& operand, int64_t groups, int64_t n);

}  // namespace qlathe
