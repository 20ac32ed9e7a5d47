#pragma once
#include "frontend/rules/calibrate.h"
#include "tests/support/golden_case.h"

namespace qlathe::testing {

/// A case of golden/qwix/ptq, read.
struct PtqCase {
  GoldenCase golden;
  Graph graph;
  RuleList rules;
  std::vector<HostTensor> inputs;
  std::vector<std::vector<HostTensor>> batches;  ///< calibration batches; empty: the inputs are the only batch

  /// With `quantized_weights` the spec gets the case's quantized parameters in place of the float weights.
  static Result<PtqCase> read(const std::filesystem::path& folder, bool quantized_weights = false);
  /// Scales and zero points of static activations, from the case's parameters.
  std::map<std::string, ScaleZeroPoint> static_scales() const;
  bool is_static() const;
};

/// Elements as floats, for comparisons.
std::vector<float> floats(const HostTensor& tensor);
/// Elements that differ in their bits, whatever the logical type is called.
size_t different_elements(const HostTensor& got, const HostTensor& want);
/// max |got - want| / max |want|.
double relative_to_max(const HostTensor& got, const HostTensor& want);

}  // namespace qlathe::testing
