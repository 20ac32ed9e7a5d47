#include "frontend/ops/contraction.h"

#include "frontend/ops/checks.h"
#include "frontend/ops/pointwise_steps.h"
#include "frontend/ops/product_checks.h"
#include "frontend/ops/product_sums.h"
#include "frontend/ops/tiled_broadcast.h"

namespace qlathe {
namespace {

std::vector<std::string> operand_names() {
  return {"lhs", "rhs", "lhs_zero_point", "rhs_zero_point", "lhs_scale", "rhs_scale", "operands..."};
}

/// [blocks, B, I, o0.., G, N]: what lhs and rhs parameters depend on.
bool may_vary(size_t slot, size_t axis, size_t rank) {
  if (slot == kLhsZeroPoint || slot == kLhsScale) return axis != rank - 1;
  return axis < 2 || axis >= rank - 2;
}

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const auto& attrs = ctx.node.as<ContractionAttrs>();
  const size_t d = attrs.windows.size();
  QL_ASSIGN(const ValueType value, check_product_types(ctx, attrs.accumulator, true));
  QL_RETURN_IF_ERROR(check_rank(ctx, kLhs, d + 4, "[B, I, spatial.., G, K]"));
  QL_RETURN_IF_ERROR(check_rank(ctx, kRhs, d + 4, "[B, G, N, kernel.., K]"));
  const Shape &lhs = ctx.in(kLhs).shape, &rhs = ctx.in(kRhs).shape;
  if (lhs[0] != rhs[0] || lhs[d + 2] != rhs[1] || lhs[d + 3] != rhs[d + 3]) {
    return ctx.error(
        "rhs",
        "[B, G, N, kernel.., K] = " + to_string(rhs) + " does not fit lhs [B, I, spatial.., G, K] = " + to_string(lhs),
        "B, G and K must be equal");
  }
  Shape out{lhs[0], lhs[1]};
  int64_t reduction = lhs[d + 3];
  for (size_t s = 0; s < d; s++) {
    const std::string field = "windows[" + std::to_string(s) + "]";
    if (rhs[3 + s] != attrs.windows[s].kernel) {
      return ctx.error(
          field, "kernel is " + std::to_string(attrs.windows[s].kernel) + ", rhs has " + std::to_string(rhs[3 + s]));
    }
    QL_ASSIGN(const int64_t positions, window_positions(ctx, field, attrs.windows[s], lhs[2 + s]));
    out.push_back(positions);
    reduction *= rhs[3 + s];  // at most the elements of rhs
  }
  out.push_back(rhs[1]);
  out.push_back(rhs[2]);
  if (attrs.blocks < 1 || reduction % attrs.blocks != 0 || (attrs.blocks > 1 && !has_scales(ctx.node))) {
    return ctx.error(
        "blocks",
        "is " + std::to_string(attrs.blocks) + " for a reduction of " + std::to_string(reduction) + " elements",
        "blocks divide the reduction, and several need a scale");
  }
  Shape full = out;
  full.insert(full.begin(), attrs.blocks);
  QL_RETURN_IF_ERROR(check_parameter_shapes(ctx, full, "[blocks, B, I, out.., G, N]", may_vary));
  for (size_t slot : {kLhsScale, kRhsScale}) {
    const size_t other = slot == kLhsScale ? kRhsScale : kLhsScale;
    if (!ctx.has(slot) || !ctx.has(other) || !is_multiplier(ctx.in(other).type) || ctx.in(slot).shape[0] == 1) continue;
    return ctx.error(operand_name(ctx.node, slot), "varies along the blocks, which a multiplier is for",
                     "use extent 1");
  }
  QL_ASSIGN(const ValueType type, check_steps(ctx, attrs.steps, value, out, kContractionExtra));
  return std::vector<TensorType>{{type, out}};
}

/// Offsets into a parameter of shape [blocks, B, I, o0.., G, N], 0 along axes of extent 1.
struct ParameterIndex {
  std::vector<int64_t> strides;
  explicit ParameterIndex(const HostTensor* parameter, size_t rank) : strides(rank, 0) {
    if (parameter == nullptr) return;
    strides = row_major_strides(parameter->shape());
    for (size_t d = 0; d < strides.size(); d++) {
      if (parameter->shape()[d] == 1) strides[d] = 0;
    }
  }
  int64_t block() const { return strides[0]; }
  int64_t rhs_at(int64_t block, int64_t b, int64_t g, int64_t n) const {
    const size_t rank = strides.size();
    return block * strides[0] + b * strides[1] + g * strides[rank - 2] + n * strides[rank - 1];
  }
  /// For every (B, I, o0.., G) of the result.
  std::vector<int64_t> rows(const Shape& out) const {
    std::vector<Axis> axes;
    for (size_t d = 0; d + 1 < out.size(); d++)
      axes.push_back({out[d], strides[d + 1]});
    return loop_offsets(axes);
  }
};

template <class T>
void evaluate_as(const EvalContext& ctx) {
  const auto& attrs = ctx.node.as<ContractionAttrs>();
  const HostTensor &lhs = *ctx.inputs[kLhs], &rhs = *ctx.inputs[kRhs];
  const Shape& out = ctx.outputs[0]->shape();
  const size_t d = attrs.windows.size();
  const int64_t B = out[0], G = out[d + 2], N = out[d + 3], K = lhs.shape()[d + 3];

  // Elements of lhs: one of each (B, I, o0.., G), plus one of each (k0.., K).
  const auto strides = row_major_strides(lhs.shape());
  std::vector<Axis> row_axes{{B, strides[0]}, {out[1], strides[1]}}, reduction_axes;
  for (size_t s = 0; s < d; s++) {
    row_axes.push_back({out[2 + s], saturating_mul(strides[2 + s], attrs.windows[s].stride)});
    reduction_axes.push_back({attrs.windows[s].kernel, saturating_mul(strides[2 + s], attrs.windows[s].dilation)});
  }
  row_axes.push_back({G, strides[d + 2]});
  reduction_axes.push_back({K, 1});
  const std::vector<int64_t> rows = loop_offsets(row_axes), taps = loop_offsets(reduction_axes);
  const auto R = static_cast<int64_t>(taps.size());
  const int64_t run = R / attrs.blocks;

  const size_t rank = out.size() + 1;
  const HostTensor* lhs_zp = optional_input(ctx, kLhsZeroPoint);
  const HostTensor* rhs_zp = optional_input(ctx, kRhsZeroPoint);
  const ParameterIndex lhs_zp_index(lhs_zp, rank), rhs_zp_index(rhs_zp, rank);
  const ParameterIndex lhs_scale_index(optional_input(ctx, kLhsScale), rank);
  const ParameterIndex rhs_scale_index(optional_input(ctx, kRhsScale), rank);
  const std::vector<float> lhs_scale = scale_values(ctx, kLhsScale), rhs_scale = scale_values(ctx, kRhsScale);
  const std::vector<T> lhs_values = widen<T>(lhs), rhs_values = widen<T>(rhs);
  const std::vector<T> lhs_zps = lhs_zp == nullptr ? std::vector<T>{} : widen<T>(*lhs_zp);
  const std::vector<T> rhs_zps = rhs_zp == nullptr ? std::vector<T>{} : widen<T>(*rhs_zp);

  const std::vector<T> lhs_multiplier = multiplier_values<T>(ctx, kLhsScale);
  const std::vector<T> rhs_multiplier = multiplier_values<T>(ctx, kRhsScale);

  // rhs - rhs_zp as [B, G, R, N], so that the inner loop runs over results; its scales as [B, G, blocks, N].
  std::vector<T> matrix(rhs_values.size());
  std::vector<float> matrix_scale(rhs_scale.empty() ? 0 : static_cast<size_t>(B * G * attrs.blocks * N));
  std::vector<T> matrix_multiplier(rhs_multiplier.empty() ? 0 : static_cast<size_t>(B * G * attrs.blocks * N));
  for (int64_t bg = 0; bg < B * G; bg++) {
    for (int64_t n = 0; n < N; n++) {
      for (int64_t r = 0; r < R; r++) {
        T value = rhs_values[static_cast<size_t>((bg * N + n) * R + r)];
        if (rhs_zp != nullptr) value -= rhs_zps[static_cast<size_t>(rhs_zp_index.rhs_at(r / run, bg / G, bg % G, n))];
        matrix[static_cast<size_t>((bg * R + r) * N + n)] = value;
      }
      for (int64_t b = 0; b < attrs.blocks; b++) {
        const auto to = static_cast<size_t>((bg * attrs.blocks + b) * N + n);
        const auto from = static_cast<size_t>(rhs_scale_index.rhs_at(b, bg / G, bg % G, n));
        if (!rhs_scale.empty()) matrix_scale[to] = rhs_scale[from];
        if (!rhs_multiplier.empty()) matrix_multiplier[to] = rhs_multiplier[from];
      }
    }
  }

  const std::vector<int64_t> zp_rows = lhs_zp_index.rows(out), scale_rows = lhs_scale_index.rows(out);
  RowProduct<T> product({R, N, N, attrs.blocks, attrs.sum_order, attrs.scale_order, has_float_scales(ctx)});
  HostTensor value = value_before_steps(ctx, attrs.accumulator);
  std::vector<T> row(taps.size());
  std::vector<float> row_scale(static_cast<size_t>(attrs.blocks));
  std::vector<T> row_multiplier(static_cast<size_t>(attrs.blocks));
  for (size_t i = 0; i < rows.size(); i++) {
    for (size_t r = 0; r < taps.size(); r++)
      row[r] = lhs_values[static_cast<size_t>(rows[i] + taps[r])];
    for (int64_t r = 0; r < R && lhs_zp != nullptr; r++)
      row[static_cast<size_t>(r)] -= lhs_zps[static_cast<size_t>(zp_rows[i] + r / run * lhs_zp_index.block())];
    for (int64_t b = 0; b < attrs.blocks; b++) {
      const auto from = static_cast<size_t>(scale_rows[i] + b * lhs_scale_index.block());
      if (!lhs_scale.empty()) row_scale[static_cast<size_t>(b)] = lhs_scale[from];
      if (!lhs_multiplier.empty()) row_multiplier[static_cast<size_t>(b)] = lhs_multiplier[from];
    }
    const auto index = static_cast<int64_t>(i);
    const int64_t bg = index / (static_cast<int64_t>(rows.size()) / B) * G + index % G;
    product.run(row.data(), matrix.data() + bg * R * N, lhs_scale.empty() ? nullptr : row_scale.data(),
                rhs_scale.empty() ? nullptr : matrix_scale.data() + bg * attrs.blocks * N, value, index * N,
                {lhs_multiplier.empty() ? nullptr : row_multiplier.data(),
                 rhs_multiplier.empty() ? nullptr : matrix_multiplier.data() + bg * attrs.blocks * N});
  }
  finish(ctx, attrs.steps, value);
}

void evaluate(const EvalContext& ctx) {
  with_accumulator(ctx.node.as<ContractionAttrs>().accumulator, [&](auto zero) { evaluate_as<decltype(zero)>(ctx); });
}

const OpRegistry::Add kContraction(
    {.name = "contraction",
     .summary = "sums of products in canonical form: dense, batched, grouped, convolution",
     .operands = operand_names(),
     .required = 2,
     .make_attrs = [] { return std::make_shared<ContractionAttrs>(); },
     .infer = infer,
     .evaluate = evaluate,
     .steps = steps_of<ContractionAttrs>,
     .first_step_operand = kContractionExtra,
     .accumulator = accumulator_of<ContractionAttrs>});

}  // namespace
}  // namespace qlathe
