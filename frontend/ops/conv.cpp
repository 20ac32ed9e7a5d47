#include <algorithm>

#include "frontend/ops/checks.h"
#include "frontend/ops/contraction.h"
#include "frontend/ops/pointwise_steps.h"
#include "frontend/ops/product_checks.h"
#include "frontend/ops/product_sums.h"
#include "frontend/ops/tiled_broadcast.h"

namespace qlathe {
namespace {

/// Along one spatial axis: extents of the dilated and padded input and of the result.
struct SpatialAxis {
  int64_t padded, positions;
};

Result<SpatialAxis> infer_axis(const InferContext& ctx, size_t s) {
  const auto& attrs = ctx.node.as<ConvAttrs>();
  const int64_t extent = ctx.in(kLhs).shape[1 + s];
  if (attrs.input_dilation[s] < 1) return ctx.error("input_dilation", "must be at least 1 on every axis");
  const int64_t dilated = extent == 0 ? 0 : saturating_add(saturating_mul(extent - 1, attrs.input_dilation[s]), 1);
  const int64_t padded = saturating_add(saturating_add(dilated, attrs.pad_lo[s]), attrs.pad_hi[s]);
  const Window window{ctx.in(kRhs).shape[s], attrs.strides[s], attrs.kernel_dilation[s]};
  QL_ASSIGN(const int64_t positions, window_positions(ctx, "spatial axis " + std::to_string(s), window, padded));
  return SpatialAxis{padded, positions};
}

Status check_parameters(const InferContext& ctx) {
  QL_RETURN_IF_ERROR(check_tiled_parameters(ctx));
  for (size_t slot : {kLhsZeroPoint, kRhsZeroPoint, kLhsScale, kRhsScale}) {
    if (!ctx.has(slot)) continue;
    const Shape& own = ctx.in(slot).shape;
    const bool of_lhs = slot == kLhsZeroPoint || slot == kLhsScale;
    for (size_t d = 0; d < own.size(); d++) {
      if (own[d] != 1 && d != (of_lhs ? 0 : own.size() - 1)) {
        return ctx.error(operand_name(ctx.node, slot), "has shape " + to_string(own),
                         of_lhs ? "it may vary along the images only" : "it may vary along the result channels only");
      }
    }
  }
  // Padding is stored as the zero point, which must then be a value of lhs.
  const HostTensor* zero_point = ctx.has(kLhsZeroPoint) ? ctx.data(kLhsZeroPoint) : nullptr;
  const ValueType stored = ctx.in(kLhs).type;
  if (zero_point != nullptr && is_integer(stored) && is_integer(zero_point->type())) {
    for (int64_t i = 0; i < zero_point->size(); i++) {
      const int64_t value = zero_point->int_at(i);
      if (value < info(stored).min || value > info(stored).max) {
        return ctx.error("lhs_zero_point", std::to_string(value) + " is outside the range of " + name(stored));
      }
    }
  }
  return {};
}

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const auto& attrs = ctx.node.as<ConvAttrs>();
  const size_t d = attrs.strides.size();
  if (d < 1 || d > 3)
    return ctx.error("strides", "has " + std::to_string(d) + " entries, a convolution has 1 to 3 axes");
  QL_ASSIGN(const ValueType value, check_product_types(ctx, attrs.accumulator));
  QL_RETURN_IF_ERROR(check_rank(ctx, kLhs, d + 2, "[images, spatial.., channels]"));
  QL_RETURN_IF_ERROR(check_rank(ctx, kRhs, d + 2, "[kernel.., channels / groups, result channels]"));
  QL_RETURN_IF_ERROR(check_length(ctx, "kernel_dilation", attrs.kernel_dilation.size(), d));
  QL_RETURN_IF_ERROR(check_length(ctx, "input_dilation", attrs.input_dilation.size(), d));
  QL_RETURN_IF_ERROR(check_length(ctx, "pad_lo", attrs.pad_lo.size(), d));
  QL_RETURN_IF_ERROR(check_length(ctx, "pad_hi", attrs.pad_hi.size(), d));
  const Shape &lhs = ctx.in(kLhs).shape, &rhs = ctx.in(kRhs).shape;
  if (attrs.groups < 1 || lhs[d + 1] % attrs.groups != 0 || rhs[d + 1] % attrs.groups != 0 ||
      rhs[d] != lhs[d + 1] / attrs.groups) {
    return ctx.error("groups",
                     std::to_string(attrs.groups) + " groups do not fit " + std::to_string(lhs[d + 1]) +
                         " input channels, " + std::to_string(rhs[d + 1]) + " result channels and " +
                         std::to_string(rhs[d]) + " channels in the kernel",
                     "groups divide both channel counts, and the kernel has input channels / groups");
  }
  if (ctx.has(kLhsZeroPoint) && is_code(ctx.in(kLhs).type)) {
    return ctx.error("lhs_zero_point", std::string(name(ctx.in(kLhs).type)) + " has no zero point");
  }
  QL_RETURN_IF_ERROR(check_parameters(ctx));
  Shape out{lhs[0]}, padded{lhs[0]};
  for (size_t s = 0; s < d; s++) {
    QL_ASSIGN(const SpatialAxis axis, infer_axis(ctx, s));
    out.push_back(axis.positions);
    padded.push_back(axis.padded);
  }
  out.push_back(rhs[d + 1]);
  padded.push_back(lhs[d + 1]);
  QL_RETURN_IF_ERROR(check_shape(padded).at({"", ctx.node.origin.name, "pad_lo"}));
  QL_ASSIGN(const ValueType type, check_steps(ctx, attrs.steps, value, out, kContractionExtra));
  return std::vector<TensorType>{{type, out}};
}

/// lhs - zero point, dilated and padded with zeros: [I, p0.., C].
template <class T>
std::vector<T> padded_input(const EvalContext& ctx, Shape& padded) {
  const auto& attrs = ctx.node.as<ConvAttrs>();
  const HostTensor& lhs = *ctx.inputs[kLhs];
  const std::vector<T> x = center<T>(lhs, optional_input(ctx, kLhsZeroPoint));
  padded = lhs.shape();
  for (size_t s = 0; s + 2 < padded.size(); s++) {
    const int64_t extent = padded[1 + s];
    padded[1 + s] = (extent == 0 ? 0 : (extent - 1) * attrs.input_dilation[s] + 1) + attrs.pad_lo[s] + attrs.pad_hi[s];
  }
  std::vector<T> out(static_cast<size_t>(element_count(padded)), T{});
  const auto strides = row_major_strides(padded);
  const auto channels = static_cast<size_t>(padded.back());
  for (size_t from = 0; from < x.size(); from += channels) {  // one pixel of all channels
    int64_t rest = static_cast<int64_t>(from / channels), to = 0;
    bool inside = true;
    for (size_t s = padded.size() - 2; s >= 1; s--) {
      const int64_t at = rest % lhs.shape()[s] * attrs.input_dilation[s - 1] + attrs.pad_lo[s - 1];
      rest /= lhs.shape()[s];
      inside = inside && at >= 0 && at < padded[s];
      to += at * strides[s];
    }
    to += rest * strides[0];
    if (inside) std::copy_n(x.begin() + static_cast<int64_t>(from), channels, out.begin() + to);
  }
  return out;
}

template <class T>
void evaluate_as(const EvalContext& ctx) {
  const auto& attrs = ctx.node.as<ConvAttrs>();
  const HostTensor& rhs = *ctx.inputs[kRhs];
  const Shape& out = ctx.outputs[0]->shape();
  const size_t d = attrs.strides.size();
  const int64_t O = out[d + 1], N = O / attrs.groups, K = rhs.shape()[d];

  Shape padded;
  const std::vector<T> x = padded_input<T>(ctx, padded);
  const std::vector<T> w = center<T>(rhs, optional_input(ctx, kRhsZeroPoint));  // [k0.., K, O]
  const auto strides = row_major_strides(padded);
  std::vector<Axis> row_axes{{out[0], strides[0]}}, reduction_axes;
  for (size_t s = 0; s < d; s++) {
    row_axes.push_back({out[1 + s], saturating_mul(strides[1 + s], attrs.strides[s])});
    reduction_axes.push_back({rhs.shape()[s], saturating_mul(strides[1 + s], attrs.kernel_dilation[s])});
  }
  row_axes.push_back({attrs.groups, K});
  reduction_axes.push_back({K, 1});
  const std::vector<int64_t> rows = loop_offsets(row_axes), taps = loop_offsets(reduction_axes);

  const std::vector<float> lhs_scale = scale_values(ctx, kLhsScale), rhs_scale = scale_values(ctx, kRhsScale);
  std::vector<float> channel_scale(rhs_scale.empty() ? 0 : static_cast<size_t>(O));
  for (size_t o = 0; o < channel_scale.size(); o++)
    channel_scale[o] = rhs_scale[o * rhs_scale.size() / channel_scale.size()];

  RowProduct<T> product(
      {static_cast<int64_t>(taps.size()), N, O, 1, SumOrder::kSequential, attrs.scale_order, has_scales(ctx.node)});
  HostTensor value = value_before_steps(ctx, attrs.accumulator);
  std::vector<T> row(taps.size());
  for (size_t i = 0; i < rows.size(); i++) {
    for (size_t r = 0; r < taps.size(); r++)
      row[r] = x[static_cast<size_t>(rows[i] + taps[r])];
    const int64_t first = static_cast<int64_t>(i) % attrs.groups * N;  // result channel
    const size_t image = i / (rows.size() / static_cast<size_t>(out[0]));
    const size_t tile = lhs_scale.empty() ? 0 : image * lhs_scale.size() / static_cast<size_t>(out[0]);
    product.run(row.data(), w.data() + first, lhs_scale.empty() ? nullptr : &lhs_scale[tile],
                rhs_scale.empty() ? nullptr : &channel_scale[static_cast<size_t>(first)], value,
                static_cast<int64_t>(i) * N);
  }
  finish(ctx, attrs.steps, value);
}

void evaluate(const EvalContext& ctx) {
  with_accumulator(ctx.node.as<ConvAttrs>().accumulator, [&](auto zero) { evaluate_as<decltype(zero)>(ctx); });
}

const OpRegistry::Add kConv({.name = "conv",
                             .summary = "convolution, channels last",
                             .operands = {"lhs", "rhs", "lhs_zero_point", "rhs_zero_point", "lhs_scale", "rhs_scale",
                                          "operands..."},
                             .required = 2,
                             .make_attrs = [] { return std::make_shared<ConvAttrs>(); },
                             .infer = infer,
                             .evaluate = evaluate,
                             .steps = steps_of<ConvAttrs>,
                             .first_step_operand = kContractionExtra,
                             .accumulator = accumulator_of<ConvAttrs>});

}  // namespace
}  // namespace qlathe
