#pragma once
#include <vector>

#include "frontend/ir/attrs.h"
#include "frontend/ops/contraction.h"
#include "frontend/ops/enums.h"
#include "frontend/ops/pointwise.h"

namespace qlathe {

enum class ReduceKind { kSum, kMax, kMin, kAbsMax, kSumSquares, kProduct };
inline std::span<const char* const> enum_names(ReduceKind) {
  static constexpr const char* kNames[] = {"sum", "max", "min", "absmax", "sum_squares", "product"};
  return kNames;
}

/// reduce(x, operands...): over `axes` (ascending), which stay with extent 1 when keep_dims. A mean is a sum and a step
/// that multiplies or divides. Float sums are float32 in sum_order over the reduced elements in row-major order
/// (sum_squares: fma(x, x, sum)); integers sum into int32. max and min as the steps of that name define them, starting
/// from the first element. Steps' operands broadcast to the result.
struct ReduceAttrs : Attrs<ReduceAttrs> {
  ReduceKind kind = ReduceKind::kSum;
  std::vector<int64_t> axes;
  bool keep_dims = false;
  SumOrder sum_order = SumOrder::kSequential;
  std::vector<PointwiseStep> steps;
  void visit(FieldVisitor& v) override {
    v.field("kind", kind);
    v.field("axes", axes);
    v.field("keep_dims", keep_dims, false);
    v.field("sum_order", sum_order, SumOrder::kSequential);
    v.optional_list("steps", steps);
  }
};

enum class PoolKind { kMax, kSum };
inline std::span<const char* const> enum_names(PoolKind) {
  static constexpr const char* kNames[] = {"max", "sum"};
  return kNames;
}

/// pool(x, operands...): x [I, s0.., C] -> [I, o0.., C], windows over the spatial axes. Padding is not materialized:
/// max ignores padded positions, sum adds nothing for them. An average is a sum and a step that multiplies by a
/// constant (or by an operand of shape [1, o0.., 1] where the count excludes padding). Sums: float32 ascending over the
/// window in row-major order, integers int32.
struct PoolAttrs : Attrs<PoolAttrs> {
  PoolKind kind = PoolKind::kMax;
  std::vector<Window> windows;
  std::vector<int64_t> pad_lo, pad_hi;
  std::vector<PointwiseStep> steps;
  void visit(FieldVisitor& v) override {
    v.field("kind", kind);
    v.field("windows", windows);
    v.optional_list("pad_lo", pad_lo);
    v.optional_list("pad_hi", pad_hi);
    v.optional_list("steps", steps);
  }
};

/// softmax(x, operands...) over the last axis: m = max, e = exp(x - m), s = sum(e) in sum_order, y = e * (1 / s), then
/// steps. With log: y = (x - m) - log(s). What x goes through first, to a float: `before`, so that integers come in
/// and, by a quantize step, integers go out.
struct SoftmaxAttrs : Attrs<SoftmaxAttrs> {
  bool log = false;
  SumOrder sum_order = SumOrder::kInterleaved16;
  std::vector<PointwiseStep> before;
  std::vector<PointwiseStep> steps;
  void visit(FieldVisitor& v) override {
    v.field("log", log, false);
    v.field("sum_order", sum_order, SumOrder::kInterleaved16);
    v.optional_list("before", before);
    v.optional_list("steps", steps);
  }
};

/// layer_norm(x, gamma?, beta?, operands...) over the last `axes` axes, flattened to n elements:
/// mean = sum(x) * (1 / n); var = sum((x - mean)^2) * (1 / n); r = rsqrt(var + epsilon); y = ((x - mean) * r);
/// then y * gamma + beta as one fma (y * gamma without beta). rms: mean is 0. gamma and beta have the shape of the last
/// axes.
struct LayerNormAttrs : Attrs<LayerNormAttrs> {
  int64_t axes = 1;
  double epsilon = 1e-5;
  bool rms = false;
  SumOrder sum_order = SumOrder::kInterleaved16;
  std::vector<PointwiseStep> steps;
  void visit(FieldVisitor& v) override {
    v.field("axes", axes, 1);
    v.field("epsilon", epsilon, 1e-5);
    v.field("rms", rms, false);
    v.field("sum_order", sum_order, SumOrder::kInterleaved16);
    v.optional_list("steps", steps);
  }
};

}  // namespace qlathe
