#pragma once
#include "frontend/ir/op_registry.h"
#include "frontend/ops/contraction.h"

namespace qlathe {

/// The checks that contraction, depthwise, dot_general and conv share: element types of the operands in the first six
/// slots against the accumulator. Gives the type of the value that enters the steps: float32 with scales, else the
/// accumulator. `multipliers`: one of the scales may be an integer one (contraction.h).
Result<ValueType> check_product_types(const InferContext& ctx, ValueType accumulator, bool multipliers = false);

/// Whether a scale of this type multiplies sums as integers.
inline bool is_multiplier(ValueType scale) { return scale == ValueType::kU8; }

/// Every zero point and scale present broadcasts plainly to `shape`; `allowed(slot, axis)` says along which axes of it
/// the operand may have more than one value. `layout` names the axes for messages.
Status check_parameter_shapes(const InferContext& ctx, const Shape& shape, const std::string& layout,
                              bool (*allowed)(size_t slot, size_t axis, size_t rank));

/// Every zero point and scale present has the rank of its operand and extents that divide the operand's.
Status check_tiled_parameters(const InferContext& ctx);

/// Whether there are scales, multipliers included.
bool has_scales(const Node& node);

}  // namespace qlathe
