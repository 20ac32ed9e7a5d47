#pragma once
/// Copies by strides: the one kernel behind transpose, slice, concat and broadcast.
#include <string>
#include <vector>

#include "schedule/lower/lowering.h"

namespace qlathe {

/// One loop of a copy. Strides in elements; `from` may be negative (reversed) or 0 (repeated), `to` is positive.
struct CopyAxis {
  int64_t extent = 1, from = 0, to = 0;
};

/// Copies the elements of `from` at from_offset + sum of index * from to those of `to`, which have the same type;
/// offsets in elements. Axes are outermost first, in the order of the result. `what` names the kernel. Without `from`
/// the elements become 0.
Result<LoweredCall> lower_strided_copy(const LoweringContext& context, const std::string& what, TensorId from,
                                       int64_t from_offset, TensorId to, int64_t to_offset, std::vector<CopyAxis> axes);

/// Axes of extent 1 dropped, neighbours merged where both sides allow it. Empty for a single element.
std::vector<CopyAxis> merge_copy_axes(const std::vector<CopyAxis>& axes);

}  // namespace qlathe
