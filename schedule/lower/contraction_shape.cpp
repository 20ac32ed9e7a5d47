#include "schedule/lower/contraction_shape.h"

#include <algorithm>

namespace qlathe {
namespace {

/// Extent of `operand` along result axis `axis` of `rank` (aligned at the last axis).
int64_t operand_extent(const Shape& operand, int rank, int axis) {
  const int at = axis - (rank - static_cast<int>(operand.size()));
  return at < 0 ? 1 : operand[static_cast<size_t>(at)];
}

/// An axis of the result before merging.
struct OuterAxis {
  int axis;     ///< of the result; of merged ones the innermost with more than one element
  int64_t own;  ///< extent of that axis alone
  int64_t out, lhs_stride, rhs_stride;
  std::string name;
};

bool may_merge(const OuterAxis& outer, const OuterAxis& inner, const std::vector<Shape>& operands, int rank) {
  if (outer.out == 1 || inner.out == 1) return true;
  if (outer.rhs_stride != 0 || inner.rhs_stride != 0) return false;
  if (outer.lhs_stride != inner.lhs_stride * inner.out) return false;
  return std::all_of(operands.begin(), operands.end(), [&](const Shape& shape) {
    const int64_t a = operand_extent(shape, rank, outer.axis), b = operand_extent(shape, rank, inner.axis);
    return (a == outer.own && b == inner.own) || (a == 1 && b == 1);
  });
}

}  // namespace

int64_t ContractionShape::rows_total() const {
  int64_t total = 1;
  for (const RowAxis& axis : rows)
    total *= axis.extent;
  return total;
}

std::vector<int64_t> ContractionShape::grouped(const Shape& operand) const {
  std::vector<int64_t> out;
  for (const AxisGroup& group : groups) {
    int64_t extent = 1;
    for (int a = group.first; a < group.first + group.count; a++)
      extent *= operand_extent(operand, rank, a);
    out.push_back(extent);
  }
  out.push_back(operand_extent(operand, rank, rank - 2));
  out.push_back(operand_extent(operand, rank, rank - 1));
  return out;
}

std::vector<int64_t> ContractionShape::grouped_result() const {
  std::vector<int64_t> out;
  for (const AxisGroup& group : groups)
    out.push_back(group.extent);
  out.push_back(groups_n);
  out.push_back(n);
  return out;
}

ContractionShape describe_contraction(const Shape& lhs, const Shape& rhs, const Shape& out,
                                      const std::vector<Window>& windows, const std::vector<Shape>& operand_shapes) {
  const int spatial = static_cast<int>(windows.size());
  ContractionShape shape;
  shape.rank = static_cast<int>(out.size());
  shape.batches = rhs[0];
  shape.groups_n = out[static_cast<size_t>(shape.rank - 2)];
  shape.n = out.back();
  const int64_t k = lhs.back();
  shape.reduction = k;
  for (const Window& w : windows)
    shape.reduction *= w.kernel;
  shape.lhs_size = element_count(lhs);
  shape.out_size = element_count(out);
  shape.lhs_group_stride = k;
  shape.out_group_stride = shape.n;

  // Result axes before G and N, with their strides in lhs.
  const std::vector<int64_t> lhs_strides = row_major_strides(lhs);
  static const char* const kSpatialNames[4][3] = {{}, {"x"}, {"y", "x"}, {"z", "y", "x"}};
  std::vector<OuterAxis> axes;
  axes.push_back({0, out[0], out[0], lhs[0] == 1 ? 0 : lhs_strides[0], rhs[0] == 1 ? 0 : 1, "b"});
  axes.push_back({1, out[1], out[1], lhs_strides[1], 0, "i"});
  for (int s = 0; s < spatial; s++) {
    const auto a = static_cast<size_t>(s + 2);
    const char* name = spatial <= 3 ? kSpatialNames[spatial][s] : "s";
    axes.push_back({s + 2, out[a], out[a], lhs_strides[a] * windows[static_cast<size_t>(s)].stride, 0, name});
  }

  // Merge neighbours, then give every group that is more than one element its loop.
  std::vector<OuterAxis> merged;
  for (const OuterAxis& axis : axes) {
    if (!merged.empty() && may_merge(merged.back(), axis, operand_shapes, shape.rank)) {
      OuterAxis& last = merged.back();
      if (axis.out != 1) {
        last.lhs_stride = axis.lhs_stride;
        last.rhs_stride = axis.rhs_stride;  // 0 for both, or the outer one has one element
        last.axis = axis.axis;
        last.own = axis.own;
        last.name = axis.name;
      }
      last.out *= axis.out;
      shape.groups.back().count++;
      shape.groups.back().extent = last.out;
      continue;
    }
    merged.push_back(axis);
    shape.groups.push_back({axis.out, axis.axis, 1});
  }
  int64_t out_stride = shape.groups_n * shape.n;
  for (size_t m = merged.size(); m-- > 0;) {
    const OuterAxis& axis = merged[m];
    if (axis.out > 1) {
      shape.rows.insert(shape.rows.begin(),
                        {axis.name, axis.out, axis.lhs_stride, axis.rhs_stride, out_stride, static_cast<int>(m), 1});
    }
    out_stride *= axis.out;
  }
  if (shape.rows.empty()) shape.rows.push_back({"x", 1, 0, 0, shape.groups_n * shape.n, 0, 1});

  // The reduction, innermost first: what continues the run in memory belongs to it.
  shape.run = k;
  bool contiguous = true;
  int64_t flat_stride = k;
  static const char* const kWindowNames[4][3] = {{}, {"kx"}, {"ky", "kx"}, {"kz", "ky", "kx"}};
  for (int s = spatial; s-- > 0;) {
    const Window& w = windows[static_cast<size_t>(s)];
    if (w.kernel == 1) continue;
    const int64_t step = lhs_strides[static_cast<size_t>(s + 2)] * w.dilation;
    if (contiguous && step == shape.run) {
      shape.run *= w.kernel;
    } else {
      contiguous = false;
      shape.window.insert(shape.window.begin(),
                          {spatial <= 3 ? kWindowNames[spatial][s] : "ks", w.kernel, step, flat_stride});
    }
    flat_stride *= w.kernel;
  }
  return shape;
}

}  // namespace qlathe
