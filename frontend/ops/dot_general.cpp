#include "frontend/ops/checks.h"
#include "frontend/ops/contraction.h"
#include "frontend/ops/copy.h"
#include "frontend/ops/dot_general_axes.h"
#include "frontend/ops/pointwise_steps.h"
#include "frontend/ops/product_checks.h"
#include "frontend/ops/product_sums.h"
#include "frontend/ops/tiled_broadcast.h"

namespace qlathe {
namespace {

Status check_paired_axes(const InferContext& ctx, const std::string& what, const std::vector<int64_t>& lhs_axes,
                         const std::vector<int64_t>& rhs_axes) {
  QL_RETURN_IF_ERROR(check_axes(ctx, "lhs_" + what, lhs_axes, static_cast<int64_t>(ctx.in(kLhs).shape.size())));
  QL_RETURN_IF_ERROR(check_axes(ctx, "rhs_" + what, rhs_axes, static_cast<int64_t>(ctx.in(kRhs).shape.size())));
  if (lhs_axes.size() != rhs_axes.size()) {
    return ctx.error("rhs_" + what, "has " + std::to_string(rhs_axes.size()) + " axes, lhs_" + what + " has " +
                                        std::to_string(lhs_axes.size()));
  }
  for (size_t i = 0; i < lhs_axes.size(); i++) {
    const int64_t l = ctx.in(kLhs).shape[static_cast<size_t>(lhs_axes[i])];
    const int64_t r = ctx.in(kRhs).shape[static_cast<size_t>(rhs_axes[i])];
    if (what == "contracting" && l == 0) return ctx.error("lhs_contracting", "a contracted axis has no elements");
    if (l != r) {
      return ctx.error("rhs_" + what, "axis " + std::to_string(rhs_axes[i]) + " of rhs has " + std::to_string(r) +
                                          " elements, its partner, axis " + std::to_string(lhs_axes[i]) +
                                          " of lhs, has " + std::to_string(l));
    }
  }
  return {};
}

/// An axis in both lists of one operand is neither.
Status check_disjoint(const InferContext& ctx, const char* field, const std::vector<int64_t>& batch,
                      const std::vector<int64_t>& contracting) {
  for (int64_t axis : batch) {
    for (int64_t other : contracting) {
      if (axis == other) return ctx.error(field, "axis " + std::to_string(axis) + " is contracted too");
    }
  }
  return {};
}

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const auto& attrs = ctx.node.as<DotGeneralAttrs>();
  QL_ASSIGN(const ValueType value, check_product_types(ctx, attrs.accumulator, true));
  QL_RETURN_IF_ERROR(check_paired_axes(ctx, "contracting", attrs.lhs_contracting, attrs.rhs_contracting));
  QL_RETURN_IF_ERROR(check_paired_axes(ctx, "batch", attrs.lhs_batch, attrs.rhs_batch));
  QL_RETURN_IF_ERROR(check_disjoint(ctx, "lhs_batch", attrs.lhs_batch, attrs.lhs_contracting));
  QL_RETURN_IF_ERROR(check_disjoint(ctx, "rhs_batch", attrs.rhs_batch, attrs.rhs_contracting));
  QL_RETURN_IF_ERROR(check_tiled_parameters(ctx));
  const Shape &lhs = ctx.in(kLhs).shape, &rhs = ctx.in(kRhs).shape;
  DotGeneralAxes axes(attrs, lhs.size(), rhs.size());
  std::vector<const Shape*> parameters;
  for (size_t i = 0; i < ctx.node.inputs.size(); i++)
    parameters.push_back(ctx.has(i) ? &ctx.in(i).shape : nullptr);
  if (const int axis = axes.count_tiles(attrs, parameters); axis >= 0) {
    return ctx.error("lhs_contracting",
                     "scales and zero points have different numbers of tiles along contracted axis " +
                         std::to_string(attrs.lhs_contracting[static_cast<size_t>(axis)]) + " of lhs",
                     "use one tile size for both operands");
  }
  if (axes.blocks != 1 && !has_scales(ctx.node)) {
    return ctx.error("lhs_zero_point", "several zero points along a contracted axis need a scale");
  }
  for (size_t slot : {kLhsScale, kRhsScale}) {
    const size_t other = slot == kLhsScale ? kRhsScale : kLhsScale;
    if (!ctx.has(slot) || !ctx.has(other) || !is_multiplier(ctx.in(other).type)) continue;
    for (int64_t axis : slot == kLhsScale ? attrs.lhs_contracting : attrs.rhs_contracting) {
      if (ctx.in(slot).shape[static_cast<size_t>(axis)] == 1) continue;
      return ctx.error(operand_name(ctx.node, slot), "varies along a contracted axis, which a multiplier is for",
                       "use extent 1 there");
    }
  }
  Shape out = dot_general_shape(attrs, axes, lhs, rhs);
  if (!attrs.output_permutation.empty()) {
    QL_RETURN_IF_ERROR(check_length(ctx, "output_permutation", attrs.output_permutation.size(), out.size()));
    QL_RETURN_IF_ERROR(
        check_axes(ctx, "output_permutation", attrs.output_permutation, static_cast<int64_t>(out.size())));
    const Shape unpermuted = out;
    for (size_t i = 0; i < out.size(); i++)
      out[i] = unpermuted[static_cast<size_t>(attrs.output_permutation[i])];
  }
  QL_RETURN_IF_ERROR(check_shape(out).at({"", ctx.node.origin.name, ""}));
  QL_ASSIGN(const ValueType type, check_steps(ctx, attrs.steps, value, out, kContractionExtra));
  return std::vector<TensorType>{{type, out}};
}

std::vector<Axis> axes_of(const Shape& shape, const std::vector<int64_t>& axes) {
  const auto strides = row_major_strides(shape);
  std::vector<Axis> out;
  for (int64_t axis : axes)
    out.push_back({shape[static_cast<size_t>(axis)], strides[static_cast<size_t>(axis)]});
  return out;
}

/// The reduction of an operand: tiles of the contracted axes, then the elements within a tile.
std::vector<Axis> reduction_axes(const Shape& shape, const std::vector<int64_t>& contracting,
                                 const std::vector<int64_t>& tiles) {
  std::vector<Axis> out = axes_of(shape, contracting);
  for (size_t c = 0; c < tiles.size(); c++) {
    const int64_t inside = out[c].extent / std::max<int64_t>(tiles[c], 1);
    out.push_back({inside, out[c].stride});
    out[c] = {tiles[c], out[c].stride * inside};
  }
  return out;
}

std::vector<int64_t> sums_of(const std::vector<int64_t>& outer, const std::vector<int64_t>& inner) {
  std::vector<int64_t> out;
  out.reserve(outer.size() * inner.size());
  for (int64_t o : outer) {
    for (int64_t i : inner)
      out.push_back(o + i);
  }
  return out;
}

/// One operand: where its batches, free elements and reduction lie.
struct Operand {
  std::vector<int64_t> batch, free, reduction;
  Operand(const Shape& shape, const std::vector<int64_t>& batch_axes, const std::vector<int64_t>& free_axes,
          const std::vector<int64_t>& contracting, const std::vector<int64_t>& tiles)
      : batch(loop_offsets(axes_of(shape, batch_axes))),
        free(loop_offsets(axes_of(shape, free_axes))),
        reduction(loop_offsets(reduction_axes(shape, contracting, tiles))) {}

  /// The scale or multiplier that belongs to each (batch, block, free) element, empty without one. `values`: all of it.
  template <class V>
  std::vector<V> scales(const EvalContext& ctx, size_t slot, const std::vector<V>& values, const Shape& shape,
                        int64_t blocks) const {
    const HostTensor* tensor = optional_input(ctx, slot);
    if (values.empty()) return {};
    const BroadcastIndex index(tensor->shape(), shape);
    const size_t run = reduction.size() / static_cast<size_t>(blocks);
    std::vector<V> out;
    for (int64_t b : batch) {
      for (int64_t block = 0; block < blocks; block++) {
        const int64_t first = reduction[static_cast<size_t>(block) * run];
        for (int64_t f : free)
          out.push_back(values[static_cast<size_t>(index.at(b + f + first))]);
      }
    }
    return out;
  }
};

template <class T>
void evaluate_as(const EvalContext& ctx) {
  const auto& attrs = ctx.node.as<DotGeneralAttrs>();
  const HostTensor &lhs = *ctx.inputs[kLhs], &rhs = *ctx.inputs[kRhs];
  DotGeneralAxes axes(attrs, lhs.shape().size(), rhs.shape().size());
  std::vector<const Shape*> parameters;
  for (const HostTensor* input : ctx.inputs)
    parameters.push_back(input == nullptr ? nullptr : &input->shape());
  axes.count_tiles(attrs, parameters);
  const Operand l(lhs.shape(), attrs.lhs_batch, axes.lhs_free, attrs.lhs_contracting, axes.tiles);
  const Operand r(rhs.shape(), attrs.rhs_batch, axes.rhs_free, attrs.rhs_contracting, axes.tiles);
  const std::vector<T> x = center<T>(lhs, optional_input(ctx, kLhsZeroPoint));
  const std::vector<T> w = center<T>(rhs, optional_input(ctx, kRhsZeroPoint));

  HostTensor value(has_float_scales(ctx) ? ValueType::kF32 : attrs.accumulator,
                   dot_general_shape(attrs, axes, lhs.shape(), rhs.shape()));
  const size_t M = l.free.size(), N = r.free.size(), R = l.reduction.size();
  if (value.size() > 0) {
    const auto blocks = static_cast<size_t>(axes.blocks);
    const std::vector<float> lhs_scale =
        l.scales(ctx, kLhsScale, scale_values(ctx, kLhsScale), lhs.shape(), axes.blocks);
    const std::vector<float> rhs_scale =
        r.scales(ctx, kRhsScale, scale_values(ctx, kRhsScale), rhs.shape(), axes.blocks);
    const std::vector<T> lhs_multiplier =
        l.scales(ctx, kLhsScale, multiplier_values<T>(ctx, kLhsScale), lhs.shape(), axes.blocks);
    const std::vector<T> rhs_multiplier =
        r.scales(ctx, kRhsScale, multiplier_values<T>(ctx, kRhsScale), rhs.shape(), axes.blocks);
    RowProduct<T> product({static_cast<int64_t>(R), static_cast<int64_t>(N), static_cast<int64_t>(N), axes.blocks,
                           attrs.sum_order, attrs.scale_order, has_float_scales(ctx)});
    std::vector<T> row(R), matrix(R * N), row_multiplier(blocks);
    std::vector<float> row_scale(blocks);
    const std::vector<int64_t> from = sums_of(r.reduction, r.free);
    for (size_t b = 0; b < l.batch.size(); b++) {
      for (size_t i = 0; i < matrix.size(); i++)
        matrix[i] = w[static_cast<size_t>(r.batch[b] + from[i])];
      for (size_t m = 0; m < M; m++) {
        for (size_t i = 0; i < R; i++)
          row[i] = x[static_cast<size_t>(l.batch[b] + l.free[m] + l.reduction[i])];
        for (size_t block = 0; block < blocks && !lhs_scale.empty(); block++)
          row_scale[block] = lhs_scale[(b * blocks + block) * M + m];
        for (size_t block = 0; block < blocks && !lhs_multiplier.empty(); block++)
          row_multiplier[block] = lhs_multiplier[(b * blocks + block) * M + m];
        product.run(row.data(), matrix.data(), lhs_scale.empty() ? nullptr : row_scale.data(),
                    rhs_scale.empty() ? nullptr : &rhs_scale[b * blocks * N], value,
                    static_cast<int64_t>((b * M + m) * N),
                    {lhs_multiplier.empty() ? nullptr : row_multiplier.data(),
                     rhs_multiplier.empty() ? nullptr : &rhs_multiplier[b * blocks * N]});
      }
    }
  }
  if (attrs.output_permutation.empty()) return finish(ctx, attrs.steps, value);
  HostTensor permuted(value.type(), ctx.outputs[0]->shape());
  const auto strides = row_major_strides(value.shape());
  std::vector<std::vector<int64_t>> tables;
  for (int64_t axis : attrs.output_permutation) {
    std::vector<int64_t>& table = tables.emplace_back();
    for (int64_t i = 0; i < value.shape()[static_cast<size_t>(axis)]; i++)
      table.push_back(i * strides[static_cast<size_t>(axis)]);
  }
  copy_by_tables(value, tables, permuted);
  finish(ctx, attrs.steps, permuted);
}

void evaluate(const EvalContext& ctx) {
  with_accumulator(ctx.node.as<DotGeneralAttrs>().accumulator, [&](auto zero) { evaluate_as<decltype(zero)>(ctx); });
}

const OpRegistry::Add kDotGeneral({.name = "dot_general",
                                   .summary = "sums of products over any axes, with batch axes",
                                   .operands = {"lhs", "rhs", "lhs_zero_point", "rhs_zero_point", "lhs_scale",
                                                "rhs_scale", "operands..."},
                                   .required = 2,
                                   .make_attrs = [] { return std::make_shared<DotGeneralAttrs>(); },
                                   .infer = infer,
                                   .evaluate = evaluate,
                                   .steps = steps_of<DotGeneralAttrs>,
                                   .first_step_operand = kContractionExtra,
                                   .accumulator = accumulator_of<DotGeneralAttrs>});

}  // namespace
}  // namespace qlathe
