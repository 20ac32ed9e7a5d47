#pragma once
#include <vector>

#include "frontend/ir/attrs.h"
#include "frontend/ops/enums.h"
#include "frontend/ops/pointwise.h"

namespace qlathe {

/// One spatial axis of a contraction, depthwise or pooling window. The input is already padded and dilated (op `pad`),
/// so
///   out = (in - ((kernel - 1) * dilation + 1)) / stride + 1.
struct Window {
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  void visit(FieldVisitor& v) {
    v.field("kernel", kernel, 1);
    v.field("stride", stride, 1);
    v.field("dilation", dilation, 1);
  }
  friend bool operator==(const Window&, const Window&) = default;
};

/// Which scale is multiplied first; Qwix's einsum swaps its operands.
enum class ScaleOrder { kLhsFirst, kRhsFirst };
inline std::span<const char* const> enum_names(ScaleOrder) {
  static constexpr const char* kNames[] = {"lhs_first", "rhs_first"};
  return kNames;
}

/// Operand slots that contraction, depthwise, dot_general and conv share. Epilogue steps refer to inputs from
/// kContractionExtra on.
enum ContractionSlot {
  kLhs = 0,
  kRhs = 1,
  kLhsZeroPoint = 2,
  kRhsZeroPoint = 3,
  kLhsScale = 4,
  kRhsScale = 5,
  kContractionExtra = 6
};

/// The contraction family: dense, batched and grouped products and convolutions of any rank, in one canonical form.
///
///   lhs  [B, I, s0.., G, K]        B batches, I images, d = windows.size() spatial axes, G groups, K channels of a
///   group rhs  [B, G, N, k0.., K]        N result channels of a group, kernel extents (B and G are 1 where there are
///   none) out  [B, I, o0.., G, N]
///
/// A dense product of M rows is I = 1, one spatial axis of extent M with kernel 1. With R = the reduction (k0.., K)
/// flattened in row-major order, cut into `blocks` equal runs (1 unless scales or zero points differ along the
/// reduction):
///
///   acc[b] = sum over r in block b of (lhs - lhs_zp) * (rhs - rhs_zp)      in `accumulator`: int32 (wraps), int64, or
///   float32 as
///                                                                           ascending fused multiply-adds (sum_order)
///                                                                           from +0
///   v      = acc[0]                                                         when there are no scale operands (then
///   blocks is 1) v      = sum over b ascending of (float(acc[b]) * lhs_scale * rhs_scale)   two roundings, in
///   `scale_order`; separate adds, from the first term (not from 0).
///                                                                           A missing scale operand is no
///                                                                           multiplication
///   out    = steps(v)
///
/// One of the scales may be a multiplier instead: uint8, with an integer accumulator. Then everything up to the last
/// sum is integer,
///
///   v      = sum over b of acc[b] * multiplier[b]                          in `accumulator`, which wraps
///
/// and a scale beside it, which has one block, makes float(v) * scale of it.
///
/// Zero points and scales have shape [blocks, B', I', o0'.., G', N'] broadcastable to [blocks] + out (extent 1 or full;
/// lhs ones have N' = 1, rhs ones I' = o' = 1). Codes (float8, float4, nf4) decode to float32. `rhs_zp` absent and the
/// like mean zero.
struct ContractionAttrs : Attrs<ContractionAttrs> {
  std::vector<Window> windows;
  ValueType accumulator = ValueType::kI32;
  int64_t blocks = 1;
  ScaleOrder scale_order = ScaleOrder::kLhsFirst;
  SumOrder sum_order = SumOrder::kSequential;
  std::vector<PointwiseStep> steps;
  void visit(FieldVisitor& v) override {
    v.field("windows", windows);
    v.field("accumulator", accumulator, ValueType::kI32);
    v.field("blocks", blocks, 1);
    v.field("scale_order", scale_order, ScaleOrder::kLhsFirst);
    v.field("sum_order", sum_order, SumOrder::kSequential);
    v.optional_list("steps", steps);
  }
};

/// The depthwise family: every channel is convolved with its own kernels.
///
///   lhs [I, s0.., C]      rhs [k0.., C, M]      out [I, o0.., C * M]   (result channel c * M + m reads input channel
///   c)
///
/// The sum runs over (k0..) in row-major order; zero points, scales, accumulator and steps as in a contraction with
/// blocks = 1, their shapes broadcastable to out.
struct DepthwiseAttrs : Attrs<DepthwiseAttrs> {
  std::vector<Window> windows;
  ValueType accumulator = ValueType::kI32;
  ScaleOrder scale_order = ScaleOrder::kLhsFirst;
  std::vector<PointwiseStep> steps;
  void visit(FieldVisitor& v) override {
    v.field("windows", windows);
    v.field("accumulator", accumulator, ValueType::kI32);
    v.field("scale_order", scale_order, ScaleOrder::kLhsFirst);
    v.optional_list("steps", steps);
  }
};

/// dot_general as in lax, any dimensions: the front-end form of linear, matmul and einsum, canonicalized to
/// `contraction`. out dims = batch (in the order of lhs_batch), lhs free, rhs free (each in operand order), then
/// permuted by `output_permutation` (result axis i is axis output_permutation[i] of these; empty: as is). The sum runs
/// over the contracted axes in row-major order, the axes as lhs_contracting lists them. Zero points and scales have the
/// rank of their operand, extent shape / tile per axis (Qwix's scales); where contracted axes have several of them (all
/// parameters with several agree on the count), the sums run per tile as in `contraction`, multipliers included: tiles
/// in row-major order of the axes, and within a tile row-major. Several zero points along a contracted axis need a
/// scale. Absent scales leave the plain accumulator.
struct DotGeneralAttrs : Attrs<DotGeneralAttrs> {
  std::vector<int64_t> lhs_contracting, rhs_contracting, lhs_batch, rhs_batch, output_permutation;
  ValueType accumulator = ValueType::kF32;
  ScaleOrder scale_order = ScaleOrder::kLhsFirst;
  SumOrder sum_order = SumOrder::kSequential;
  std::vector<PointwiseStep> steps;
  void visit(FieldVisitor& v) override {
    v.field("lhs_contracting", lhs_contracting);
    v.field("rhs_contracting", rhs_contracting);
    v.optional_list("lhs_batch", lhs_batch);
    v.optional_list("rhs_batch", rhs_batch);
    v.optional_list("output_permutation", output_permutation);
    v.field("accumulator", accumulator, ValueType::kF32);
    v.field("scale_order", scale_order, ScaleOrder::kLhsFirst);
    v.field("sum_order", sum_order, SumOrder::kSequential);
    v.optional_list("steps", steps);
  }
};

/// Convolution, channels last: lhs [I, s0.., C], rhs [k0.., C / groups, O] (HWIO), out [I, o0.., O]; 1 to 3 spatial
/// axes. The front-end form, canonicalized to `pad` and `contraction` or `depthwise`. Padding has the value of the zero
/// point, so it adds +0 * (rhs - rhs_zp) to a sum: nothing, unless that is infinite or NaN. The sum runs over
/// (k0.., channel of the group) in row-major order. Scales and zero points as in dot_general: the rank of their
/// operand; lhs ones may vary along I only, rhs ones along O only. Channel g of groups: result channels [g * O /
/// groups, (g + 1)
/// * O / groups).
struct ConvAttrs : Attrs<ConvAttrs> {
  std::vector<int64_t> strides, kernel_dilation, input_dilation;  ///< one per spatial axis
  std::vector<int64_t> pad_lo, pad_hi;  ///< one per spatial axis, of the dilated input; may be negative (crop)
  int64_t groups = 1;
  ValueType accumulator = ValueType::kF32;
  ScaleOrder scale_order = ScaleOrder::kLhsFirst;
  std::vector<PointwiseStep> steps;
  void visit(FieldVisitor& v) override {
    v.field("strides", strides);
    v.field("kernel_dilation", kernel_dilation);
    v.field("input_dilation", input_dilation);
    v.field("pad_lo", pad_lo);
    v.field("pad_hi", pad_hi);
    v.field("groups", groups, 1);
    v.field("accumulator", accumulator, ValueType::kF32);
    v.field("scale_order", scale_order, ScaleOrder::kLhsFirst);
    v.optional_list("steps", steps);
  }
};

}  // namespace qlathe
