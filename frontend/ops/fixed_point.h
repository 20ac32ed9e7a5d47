#pragma once
#include <vector>

#include "frontend/ir/tensor.h"
#include "frontend/numerics/multiplier_of.h"

namespace qlathe {

/// The first two operands of a `requantize` step (pointwise.h): int32 of `shape`.
struct FixedPointOperands {
  HostTensor multiplier, shift;
};

/// For real multipliers in [0, 2^30), by quantize_multiplier of numerics/requantize.h.
inline FixedPointOperands fixed_point_operands(const Shape& shape, const std::vector<double>& reals) {
  FixedPointOperands out{HostTensor(ValueType::kI32, shape), HostTensor(ValueType::kI32, shape)};
  QL_CHECK(static_cast<int64_t>(reals.size()) == out.multiplier.size(), to_string(shape));
  for (size_t i = 0; i < reals.size(); i++) {
    const QuantizedMultiplier m = multiplier_of(reals[i]);
    out.multiplier.set_int(static_cast<int64_t>(i), m.mantissa);
    out.shift.set_int(static_cast<int64_t>(i), m.shift);
  }
  return out;
}

}  // namespace qlathe
