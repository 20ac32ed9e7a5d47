#pragma once
#include <vector>

#include "frontend/ir/tensor.h"

namespace qlathe {

/// The loops of an element-wise kernel: the result's axes, split where an operand is tiled along one and merged where
/// all operands allow it, so that every operand is complete or of extent 1 along each axis and axes are as long as they
/// can be.
struct IterationSpace {
  Shape extents;                ///< outermost first; at least one axis
  std::vector<Shape> operands;  ///< extents of each operand: equal to `extents` or 1 per axis
};

/// `operands` are padded to the result's rank; extents divide the result's (frontend/ops/pointwise.h). Where tilings of
/// one axis do not nest, that axis keeps an operand extent between 1 and n.
IterationSpace iteration_space(const Shape& result, const std::vector<Shape>& operands);

/// The largest divisor of n that is a multiple of `lanes` and at most `most`; 0 if there is none.
int64_t row_length(int64_t n, int64_t lanes, int64_t most);

/// The largest power of two that is at most min(lanes, extent): the vector width of an axis.
int vector_lanes(int lanes, int64_t extent);

}  // namespace qlathe
