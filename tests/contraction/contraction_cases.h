#pragma once
#include "frontend/ops/contraction.h"
#include "tests/contraction/run_lowered.h"

namespace qlathe::testing {

/// The result by the op's reference semantics.
HostTensor reference_result(const NodeCase& node_case);

/// Operands of a contraction under construction; absent ones are null.
struct ContractionSpec {
  std::string label;
  int64_t batch = 1, images = 1, groups = 1, n = 1, k = 1;
  std::vector<int64_t> spatial;  ///< of lhs
  std::vector<Window> windows;   ///< one per spatial axis
  ValueType lhs_type = ValueType::kU8, rhs_type = ValueType::kI8, accumulator = ValueType::kI32;
  int64_t blocks = 1;
  ScaleOrder scale_order = ScaleOrder::kLhsFirst;
  SumOrder sum_order = SumOrder::kSequential;
  enum class Operand { kAbsent, kOne, kPerRow, kPerChannel, kPerBlock };
  Operand lhs_zero_point = Operand::kAbsent, rhs_zero_point = Operand::kAbsent;
  Operand lhs_scale = Operand::kAbsent, rhs_scale = Operand::kAbsent;
  bool rhs_multiplier = false;  ///< rhs_scale is uint8
  bool run_time_zero_points = false;
  bool constant_rhs = true;
  std::vector<PointwiseStep> steps;
  std::vector<HostTensor> extra;  ///< constants that the steps use, as inputs kContractionExtra on
};

/// A depthwise convolution: k channels, n = multiplier; batch, groups and blocks are not used.
NodeCase make_depthwise(const ContractionSpec& spec, uint32_t seed);
NodeCase make_contraction(const ContractionSpec& spec, uint32_t seed);

}  // namespace qlathe::testing
