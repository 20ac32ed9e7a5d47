#pragma once
/// A contraction node as loops: axes that nothing distinguishes are merged, every buffer is one-dimensional and reached
/// by strides, so that a dense product, a batched one and a convolution of any rank are one thing to lower and to pack.
#include <string>
#include <vector>

#include "frontend/ops/contraction.h"
#include "schedule/lower/lowering.h"

namespace qlathe {

/// A run of neighbouring axes of the result [B, I, o0.., G, N] that every operand either spans completely or not at
/// all.
struct AxisGroup {
  int64_t extent = 1;
  int first = 0, count = 1;  ///< axes of the result it covers
};

/// One loop over the result outside of its channels.
struct RowAxis {
  std::string name;
  int64_t extent = 1;
  int64_t lhs_stride = 0;    ///< elements of lhs between neighbouring results
  int64_t rhs_stride = 0;    ///< slices of rhs (of G * N channels) between them: 1 for the batch axis of a batched rhs
  int64_t out_stride = 0;    ///< elements of the result
  int group = 0;             ///< index into ContractionShape::groups
  int64_t group_stride = 1;  ///< step of the group's flattened index
};

/// One loop of the reduction: `extent` steps of `lhs_stride` elements of lhs and `flat_stride` of the flattened
/// reduction (k0.., K).
struct ReductionAxis {
  std::string name;
  int64_t extent = 1;
  int64_t lhs_stride = 1;
  int64_t flat_stride = 1;
};

struct ContractionShape {
  int64_t batches = 1;    ///< of rhs
  int64_t groups_n = 1;   ///< G
  int64_t n = 1;          ///< channels of a group
  int64_t reduction = 1;  ///< R: all of (k0.., K)
  int64_t lhs_size = 0, out_size = 0;

  std::vector<RowAxis> rows;     ///< outermost first, at least one; extents of 1 are left out
  int64_t lhs_group_stride = 0;  ///< elements of lhs between groups (K)
  int64_t out_group_stride = 0;  ///< elements of the result between groups (N)

  /// Window axes with more than one step, outermost first, without those that `run` swallowed.
  std::vector<ReductionAxis> window;
  int64_t run = 1;  ///< the innermost reduction: contiguous in lhs and in the flattened reduction

  std::vector<AxisGroup> groups;  ///< of the result's axes before G and N
  int rank = 0;                   ///< of the result

  int64_t rows_total() const;
  /// The extents of an operand (aligned at the result's last axis) over {groups.., G, N}.
  std::vector<int64_t> grouped(const Shape& operand) const;
  /// The result's own extents over {groups.., G, N}.
  std::vector<int64_t> grouped_result() const;
};

/// `operand_shapes`: shapes (without a leading blocks axis) of everything that is indexed by result coordinates.
ContractionShape describe_contraction(const Shape& lhs, const Shape& rhs, const Shape& out,
                                      const std::vector<Window>& windows, const std::vector<Shape>& operand_shapes);

}  // namespace qlathe
