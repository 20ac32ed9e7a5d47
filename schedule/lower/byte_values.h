#pragma once
#include <vector>

#include "frontend/ops/pointwise.h"
#include "schedule/lower/lowering.h"

namespace qlathe {

/// -128 or 0.
int32_t least_byte(ValueType type);

/// What an element-wise node gives, computed as stated, for every value of its first input, a byte: shape [256, 1]; or
/// for every pair of that and input `other` (not below 0), a byte too: [256, 256]. Inputs that are the first once more
/// go with it; the others are single constants, or tables.
HostTensor values_of_bytes(const LoweringContext& context, const std::vector<PointwiseStep>& steps, int64_t other);

}  // namespace qlathe
