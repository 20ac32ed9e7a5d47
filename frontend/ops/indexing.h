#pragma once
#include <vector>

#include "frontend/ir/attrs.h"
#include "frontend/ops/contraction.h"

namespace qlathe {

/// cumsum(x) along `axis`: result i is x[0] + .. + x[i], added in that order, each sum rounded to float32 (int32 and
/// int64 wrap). `exclusive` leaves x[i] itself out; `reverse` starts at the end.
struct CumsumAttrs : Attrs<CumsumAttrs> {
  int64_t axis = 0;
  bool exclusive = false, reverse = false;
  void visit(FieldVisitor& v) override {
    v.field("axis", axis);
    v.field("exclusive", exclusive, false);
    v.field("reverse", reverse, false);
  }
};

enum class ScatterKind { kSet, kAdd, kMul, kMax, kMin };
inline std::span<const char* const> enum_names(ScatterKind) {
  static constexpr const char* kNames[] = {"set", "add", "mul", "max", "min"};
  return kNames;
}

/// scatter(x, indices, updates): x [rows, rest..], indices [count] int32, updates [count, rest..]. The result is x
/// where, for u ascending, row indices[u] becomes updates[u], or old + update, old * update (float32; int32 and int64
/// wrap), max(old, update), min(old, update) as the steps of that name. Indices outside [0, rows) do nothing: a reader
/// decides what negative ones mean.
struct ScatterAttrs : Attrs<ScatterAttrs> {
  ScatterKind kind = ScatterKind::kSet;
  void visit(FieldVisitor& v) override { v.field("kind", kind, ScatterKind::kSet); }
};

/// sort_places(x): int32 of x's shape. Where each element stands when its row (the last axis) is sorted: the number of
/// elements that are smaller (larger, where descending) or equal to it and before it. Comparisons with NaN are false.
struct SortPlacesAttrs : Attrs<SortPlacesAttrs> {
  bool descending = false;
  void visit(FieldVisitor& v) override { v.field("descending", descending, false); }
};

/// max_place(x, m): x [I, s0.., C] and m, its maxima over windows (op pool) [I, o0.., C]. int32 of m's shape: the first
/// position of the window, in row-major order, whose element equals m, as the sum of position * weights over the
/// spatial axes; 0 where none does (NaN). Padding counts for nothing.
struct MaxPlaceAttrs : Attrs<MaxPlaceAttrs> {
  std::vector<Window> windows;
  std::vector<int64_t> pad_lo;
  std::vector<int64_t> weights;
  void visit(FieldVisitor& v) override {
    v.field("windows", windows);
    v.optional_list("pad_lo", pad_lo);
    v.field("weights", weights);
  }
};

/// suppress(boxes, candidates): boxes [R, n, 4] float32, candidates [R, n] bool. bool of the same shape: box i of a row
/// stays if it is a candidate and no box before it that stays overlaps it by more than `iou` (intersection over union).
/// Boxes are two opposite corners (y, x, y, x), or where `center` centre and size (x, y, width, height). In float32,
/// one operation after the other: area = (y1 - y0) * (x1 - x0) of sorted corners; the intersection likewise, nothing
/// where a side is not above 0; overlap = intersection / (area + other area - intersection). No box of an area that is
/// not above 0 overlaps.
struct SuppressAttrs : Attrs<SuppressAttrs> {
  double iou = 0;
  bool center = false;
  void visit(FieldVisitor& v) override {
    v.field("iou", iou, 0.0);
    v.field("center", center, false);
  }
};

}  // namespace qlathe
