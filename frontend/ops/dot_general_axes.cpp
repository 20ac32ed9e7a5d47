#include "frontend/ops/dot_general_axes.h"

#include <algorithm>

namespace qlathe {

std::vector<int64_t> remaining_axes(size_t rank, const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  std::vector<int64_t> out;
  for (int64_t axis = 0; axis < static_cast<int64_t>(rank); axis++) {
    if (!std::count(a.begin(), a.end(), axis) && !std::count(b.begin(), b.end(), axis)) out.push_back(axis);
  }
  return out;
}

DotGeneralAxes::DotGeneralAxes(const DotGeneralAttrs& attrs, size_t lhs_rank, size_t rhs_rank)
    : lhs_free(remaining_axes(lhs_rank, attrs.lhs_contracting, attrs.lhs_batch)),
      rhs_free(remaining_axes(rhs_rank, attrs.rhs_contracting, attrs.rhs_batch)),
      tiles(attrs.lhs_contracting.size(), 1) {}

int DotGeneralAxes::count_tiles(const DotGeneralAttrs& attrs, const std::vector<const Shape*>& parameters) {
  for (size_t slot = kLhsZeroPoint; slot <= kRhsScale && slot < parameters.size(); slot++) {
    if (parameters[slot] == nullptr) continue;
    const bool of_lhs = slot == kLhsZeroPoint || slot == kLhsScale;
    for (size_t c = 0; c < tiles.size(); c++) {
      const int64_t axis = of_lhs ? attrs.lhs_contracting[c] : attrs.rhs_contracting[c];
      const int64_t count = (*parameters[slot])[static_cast<size_t>(axis)];
      if (count == 1 || count == tiles[c]) continue;
      if (tiles[c] != 1) return static_cast<int>(c);
      tiles[c] = count;
    }
  }
  blocks = 1;
  for (int64_t count : tiles)
    blocks *= count;
  return -1;
}

Shape dot_general_shape(const DotGeneralAttrs& attrs, const DotGeneralAxes& axes, const Shape& lhs, const Shape& rhs) {
  Shape out;
  for (int64_t axis : attrs.lhs_batch)
    out.push_back(lhs[static_cast<size_t>(axis)]);
  for (int64_t axis : axes.lhs_free)
    out.push_back(lhs[static_cast<size_t>(axis)]);
  for (int64_t axis : axes.rhs_free)
    out.push_back(rhs[static_cast<size_t>(axis)]);
  return out;
}

}  // namespace qlathe
