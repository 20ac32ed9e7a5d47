#include "frontend/ops/checks.h"
#include "frontend/ops/contraction.h"
#include "frontend/ops/pointwise_steps.h"
#include "frontend/ops/product_checks.h"
#include "frontend/ops/product_sums.h"
#include "frontend/ops/tiled_broadcast.h"

namespace qlathe {
namespace {

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const auto& attrs = ctx.node.as<DepthwiseAttrs>();
  const size_t d = attrs.windows.size();
  QL_ASSIGN(const ValueType value, check_product_types(ctx, attrs.accumulator));
  QL_RETURN_IF_ERROR(check_rank(ctx, kLhs, d + 2, "[I, spatial.., C]"));
  QL_RETURN_IF_ERROR(check_rank(ctx, kRhs, d + 2, "[kernel.., C, M]"));
  const Shape &lhs = ctx.in(kLhs).shape, &rhs = ctx.in(kRhs).shape;
  if (lhs[d + 1] != rhs[d]) {
    return ctx.error("rhs", "has " + std::to_string(rhs[d]) + " channels, lhs has " + std::to_string(lhs[d + 1]));
  }
  Shape out{lhs[0]};
  for (size_t s = 0; s < d; s++) {
    const std::string field = "windows[" + std::to_string(s) + "]";
    if (rhs[s] != attrs.windows[s].kernel) {
      return ctx.error(field,
                       "kernel is " + std::to_string(attrs.windows[s].kernel) + ", rhs has " + std::to_string(rhs[s]));
    }
    QL_ASSIGN(const int64_t positions, window_positions(ctx, field, attrs.windows[s], lhs[1 + s]));
    out.push_back(positions);
  }
  out.push_back(saturating_mul(rhs[d], rhs[d + 1]));
  QL_RETURN_IF_ERROR(
      check_parameter_shapes(ctx, out, "[I, out.., C * M]", [](size_t, size_t, size_t) { return true; }));
  QL_ASSIGN(const ValueType type, check_steps(ctx, attrs.steps, value, out, kContractionExtra));
  return std::vector<TensorType>{{type, out}};
}

/// The values of a zero point or scale for the result elements [begin, begin + out.size()).
template <class T>
struct Parameter {
  std::vector<T> values;
  BroadcastIndex index;
  std::vector<int64_t> at;

  Parameter(std::vector<T> from, const HostTensor* tensor, const Shape& out)
      : values(std::move(from)), index(tensor == nullptr ? Shape{} : tensor->shape(), out) {}
  void load(int64_t begin, std::vector<T>& out) {
    if (values.empty()) return;
    at.resize(out.size());
    index.fill(begin, at);
    for (size_t i = 0; i < out.size(); i++)
      out[i] = values[static_cast<size_t>(at[i])];
  }
};

template <class T>
void evaluate_as(const EvalContext& ctx) {
  const auto& attrs = ctx.node.as<DepthwiseAttrs>();
  const HostTensor &lhs = *ctx.inputs[kLhs], &rhs = *ctx.inputs[kRhs];
  const Shape& out = ctx.outputs[0]->shape();
  const size_t d = attrs.windows.size();
  const auto C = static_cast<size_t>(rhs.shape()[d]), M = static_cast<size_t>(rhs.shape()[d + 1]), columns = C * M;

  const auto strides = row_major_strides(lhs.shape());
  std::vector<Axis> position_axes{{out[0], strides[0]}}, tap_axes;
  for (size_t s = 0; s < d; s++) {
    position_axes.push_back({out[1 + s], saturating_mul(strides[1 + s], attrs.windows[s].stride)});
    tap_axes.push_back({attrs.windows[s].kernel, saturating_mul(strides[1 + s], attrs.windows[s].dilation)});
  }
  const std::vector<int64_t> positions = loop_offsets(position_axes), taps = loop_offsets(tap_axes);

  const std::vector<T> x = widen<T>(lhs), w = widen<T>(rhs);
  const auto parameter = [&](size_t slot) {
    const HostTensor* tensor = optional_input(ctx, slot);
    return Parameter<T>(tensor == nullptr ? std::vector<T>{} : widen<T>(*tensor), tensor, out);
  };
  Parameter<T> lhs_zp = parameter(kLhsZeroPoint), rhs_zp = parameter(kRhsZeroPoint);
  Parameter<float> lhs_scale(scale_values(ctx, kLhsScale), optional_input(ctx, kLhsScale), out);
  Parameter<float> rhs_scale(scale_values(ctx, kRhsScale), optional_input(ctx, kRhsScale), out);

  HostTensor value = value_before_steps(ctx, attrs.accumulator);
  std::vector<T> a(columns), b(columns), acc(columns), lz(columns), rz(columns);
  std::vector<float> ls(columns), rs(columns);
  for (size_t p = 0; p < positions.size(); p++) {
    const auto begin = static_cast<int64_t>(p * columns);
    lhs_zp.load(begin, lz);
    rhs_zp.load(begin, rz);
    acc.assign(columns, T{});
    for (size_t k = 0; k < taps.size(); k++) {
      const T* channel = x.data() + positions[p] + taps[k];
      for (size_t n = 0; n < columns; n++) {
        a[n] = channel[n / M] - lz[n];
        b[n] = w[k * columns + n] - rz[n];
      }
      multiply_add_elements(a.data(), b.data(), static_cast<int64_t>(columns), acc.data());
    }
    if (!has_scales(ctx.node)) {
      std::copy(acc.begin(), acc.end(), value.as<T>().begin() + begin);
      continue;
    }
    lhs_scale.load(begin, ls);
    rhs_scale.load(begin, rs);
    for (size_t n = 0; n < columns; n++) {
      value.as<float>()[static_cast<size_t>(begin) + n] =
          scaled(to_f32(acc[n]), lhs_scale.values.empty() ? nullptr : &ls[n],
                 rhs_scale.values.empty() ? nullptr : &rs[n], attrs.scale_order);
    }
  }
  finish(ctx, attrs.steps, value);
}

void evaluate(const EvalContext& ctx) {
  with_accumulator(ctx.node.as<DepthwiseAttrs>().accumulator, [&](auto zero) { evaluate_as<decltype(zero)>(ctx); });
}

const OpRegistry::Add kDepthwise({.name = "depthwise",
                                  .summary = "every channel convolved with its own kernels",
                                  .operands = {"lhs", "rhs", "lhs_zero_point", "rhs_zero_point", "lhs_scale",
                                               "rhs_scale", "operands..."},
                                  .required = 2,
                                  .make_attrs = [] { return std::make_shared<DepthwiseAttrs>(); },
                                  .infer = infer,
                                  .evaluate = evaluate,
                                  .steps = steps_of<DepthwiseAttrs>,
                                  .first_step_operand = kContractionExtra,
                                  .accumulator = accumulator_of<DepthwiseAttrs>});

}  // namespace
}  // namespace qlathe
