#pragma once
#include <vector>

#include "frontend/ir/attrs.h"

namespace qlathe {

/// reshape(x): the same elements in row-major order under another shape. Never a kernel: buffers alias.
struct ReshapeAttrs : Attrs<ReshapeAttrs> {
  std::vector<int64_t> shape;  ///< all extents known; readers resolve -1
  void visit(FieldVisitor& v) override { v.field("shape", shape); }
};

/// transpose(x): result axis i is x's axis permutation[i].
struct TransposeAttrs : Attrs<TransposeAttrs> {
  std::vector<int64_t> permutation;
  void visit(FieldVisitor& v) override { v.field("permutation", permutation); }
};

/// concat(x0, x1, ...) along axis; equal types and other extents.
struct ConcatAttrs : Attrs<ConcatAttrs> {
  int64_t axis = 0;
  void visit(FieldVisitor& v) override { v.field("axis", axis); }
};

/// slice(x): result[i] = x[start + i * step] per axis, `size` elements; step may be negative. A split is several
/// slices.
struct SliceAttrs : Attrs<SliceAttrs> {
  std::vector<int64_t> start, size, step;
  void visit(FieldVisitor& v) override {
    v.field("start", start);
    v.field("size", size);
    v.optional_list("step", step);
  }
};

enum class PadMode { kConstant, kReflect, kEdge, kSymmetric };
inline std::span<const char* const> enum_names(PadMode) {
  static constexpr const char* kNames[] = {"constant", "reflect", "edge", "symmetric"};
  return kNames;
}

/// pad(x, value?): `interior` elements between neighbours, then lo and hi at the ends, per axis (as lax.pad; negative
/// lo or hi crop). `value` is a tensor of x's type, broadcastable to the result (a zero point per image, say); absent:
/// 0.
struct PadAttrs : Attrs<PadAttrs> {
  std::vector<int64_t> lo, hi, interior;
  PadMode mode = PadMode::kConstant;
  void visit(FieldVisitor& v) override {
    v.field("lo", lo);
    v.field("hi", hi);
    v.optional_list("interior", interior);
    v.field("mode", mode, PadMode::kConstant);
  }
};

/// gather(x, indices): x's axis `axis` is replaced by the shape of indices; indices are integers, negative ones count
/// from the end, out-of-range ones are clamped.
struct GatherAttrs : Attrs<GatherAttrs> {
  int64_t axis = 0;
  void visit(FieldVisitor& v) override { v.field("axis", axis); }
};

/// broadcast(x): to `shape`, numpy rules (aligned at the last axis).
struct BroadcastAttrs : Attrs<BroadcastAttrs> {
  std::vector<int64_t> shape;
  void visit(FieldVisitor& v) override { v.field("shape", shape); }
};

/// Values of a list that goes by the axes of a transposed tensor, axis i being base axis p[i], by the axes of the base;
/// an empty list stays empty.
std::vector<int64_t> by_base_axes(const std::vector<int64_t>& list, const std::vector<int64_t>& p);

}  // namespace qlathe
