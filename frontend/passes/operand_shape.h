#pragma once
#include <optional>

#include "frontend/ir/tensor.h"

namespace qlathe {

/// An operand of shape `operand` broadcasts (tiled, see PointwiseStep) to `before`. The result is reshaped to `after`,
/// of equal size. Under which shape of the same elements does the operand broadcast to `after`, every element of the
/// result meeting the same element of it? Nothing where there is none, e.g. a value per column of a matrix whose rows
/// are cut in pieces.
std::optional<Shape> reshape_operand(const Shape& operand, const Shape& before, const Shape& after);

}  // namespace qlathe
