#pragma once
#include <vector>

#include "frontend/ir/graph.h"
#include "frontend/ops/contraction.h"

namespace qlathe {

/// How the axes of a dot_general's operands divide, as evaluation and canonicalization need it. Valid after inference.
struct DotGeneralAxes {
  std::vector<int64_t> lhs_free, rhs_free;
  /// Per contracted axis (in the order of lhs_contracting) the number of tiles that scales and zero points make of it.
  std::vector<int64_t> tiles;
  int64_t blocks = 1;  ///< product of tiles

  DotGeneralAxes(const DotGeneralAttrs& attrs, size_t lhs_rank, size_t rhs_rank);
  /// `parameters`: shapes of the zero points and scales in slots kLhsZeroPoint.. (null: absent). Returns the index of a
  /// contracted axis on which they disagree, or -1.
  int count_tiles(const DotGeneralAttrs& attrs, const std::vector<const Shape*>& parameters);
};

/// Axes of `rank` in neither list, ascending.
std::vector<int64_t> remaining_axes(size_t rank, const std::vector<int64_t>& a, const std::vector<int64_t>& b);
/// Result shape before output_permutation: batch, lhs free, rhs free.
Shape dot_general_shape(const DotGeneralAttrs& attrs, const DotGeneralAxes& axes, const Shape& lhs, const Shape& rhs);

}  // namespace qlathe
