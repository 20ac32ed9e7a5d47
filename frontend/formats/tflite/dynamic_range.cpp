#include "frontend/formats/tflite/dynamic_range.h"

#include <limits>

#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

TensorId extreme(TfliteNode& node, TensorId x, ReduceKind kind, int64_t rows, std::vector<PointwiseStep> steps = {},
                 const std::vector<TensorId>& operands = {}) {
  auto attrs = std::make_shared<ReduceAttrs>();
  attrs->kind = kind;
  for (int64_t d = rows; d < node.rank(x); d++)
    attrs->axes.push_back(d);
  attrs->keep_dims = true;
  attrs->steps = std::move(steps);
  std::vector<TensorId> inputs = {x};
  inputs.insert(inputs.end(), operands.begin(), operands.end());
  return node.add("reduce", inputs, attrs);
}

/// What only zeros have: no range. Its scale is 1.
PointwiseStep guard() {
  PointwiseStep step = import_step("nonzero_scale");
  step.lo = static_cast<double>(std::numeric_limits<float>::denorm_min());
  return step;
}

}  // namespace

namespace {

/// A parameter of shape [batch.., rows, 1] as `sums_indices` finds it.
TensorId at_summed_indices(TfliteNode& node, TensorId parameter) {
  const Shape s = node.shape(parameter);
  const int64_t rows = s[s.size() - 2], count = element_count(s);
  std::vector<int64_t> index;
  for (int64_t i = 0; i < count; i++) {
    int64_t sum = 0, rest = i / rows;
    for (size_t d = s.size() - 2; d-- > 0; rest /= s[d])
      sum += rest % s[d];
    index.push_back(sum * rows + i % rows);
  }
  return node.reshape(node.gather(node.reshape(parameter, {count}), node.integer_vector(index), 0), s);
}

DynamicallyQuantized quantize_rows(TfliteNode& node, TensorId x, const DynamicRange& range) {
  DynamicallyQuantized out;
  PointwiseStep cast = import_step("cast", ValueType::kI8);
  cast.rounding = Rounding::kHalfAwayFromZero;
  if (range.form == DynamicRange::Form::kSymmetric) {
    const TensorId largest = extreme(node, x, ReduceKind::kAbsMax, range.rows);
    out.scale = node.pointwise(largest, {import_step("div", ValueType::kF32, {1}), guard()}, {node.scalar(127.0f)});
    PointwiseStep inverse = import_step("div", ValueType::kF32, {1});
    inverse.swapped = true;
    const TensorId factor = node.pointwise(largest, {guard(), inverse}, {node.scalar(127.0f)});
    cast.lo = -127;
    cast.hi = 127;
    out.values = node.pointwise(x, {import_step("mul", ValueType::kF32, {1}), cast}, {factor});
    return out;
  }
  const TensorId zero = node.scalar(0.0f);
  const TensorId lo =
      extreme(node, x, ReduceKind::kMin, range.rows, {import_step("min", ValueType::kF32, {1})}, {zero});
  const TensorId hi =
      extreme(node, x, ReduceKind::kMax, range.rows, {import_step("max", ValueType::kF32, {1})}, {zero});
  out.scale =
      node.pointwise(hi, {import_step("sub", ValueType::kF32, {1}), import_step("div", ValueType::kF32, {2}), guard()},
                     {lo, node.scalar(255.0f)});
  // Of the two ends the one whose quotient has the smaller error: |lo| / scale + 128 < |hi| / scale + 127.
  const TensorId from_lo = node.pointwise(
      lo, {import_step("div", ValueType::kF32, {1}), import_step("neg"), import_step("sub", ValueType::kF32, {2})},
      {out.scale, node.scalar(128.0f)});
  const TensorId from_hi = node.pointwise(
      hi, {import_step("div", ValueType::kF32, {1}), import_step("neg"), import_step("add", ValueType::kF32, {2})},
      {out.scale, node.scalar(127.0f)});
  const TensorId nearer_lo = node.pointwise(lo, {import_step("neg"), import_step("less", ValueType::kBool, {1})},
                                            {node.binary("sub", hi, out.scale)});
  const TensorId chosen = node.select(nearer_lo, from_lo, from_hi);
  out.zero_point = node.pointwise(chosen, {cast});
  const TensorId factor = node.pointwise(out.scale, {import_step("reciprocal")});
  out.values =
      node.pointwise(x, {import_step("mul", ValueType::kF32, {1}), import_step("add", ValueType::kF32, {2}), cast},
                     {factor, node.cast(out.zero_point, ValueType::kF32)});
  return out;
}

}  // namespace

DynamicallyQuantized tflite_dynamic_quantize(TfliteNode& node, TensorId x, const DynamicRange& range) {
  DynamicallyQuantized out = quantize_rows(node, x, range);
  if (!range.sums_indices) return out;
  out.scale = at_summed_indices(node, out.scale);
  if (out.zero_point.valid()) out.zero_point = at_summed_indices(node, out.zero_point);
  return out;
}

}  // namespace qlathe
