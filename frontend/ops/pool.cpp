#include <algorithm>

#include "frontend/ops/checks.h"
#include "frontend/ops/float_sums.h"
#include "frontend/ops/pointwise_steps.h"
#include "frontend/ops/product_sums.h"
#include "frontend/ops/reduction.h"
#include "frontend/ops/tiled_broadcast.h"

namespace qlathe {
namespace {

int64_t pad_at(const std::vector<int64_t>& pad, size_t s) { return pad.empty() ? 0 : pad[s]; }

ValueType value_type(PoolKind kind, ValueType x) {
  return kind == PoolKind::kMax ? x : is_integer(x) ? ValueType::kI32 : ValueType::kF32;
}

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const auto& attrs = ctx.node.as<PoolAttrs>();
  const TensorType& x = ctx.in(0);
  const size_t d = attrs.windows.size();
  QL_RETURN_IF_ERROR(check_rank(ctx, 0, d + 2, "[images, spatial.., channels]"));
  if (!attrs.pad_lo.empty()) QL_RETURN_IF_ERROR(check_length(ctx, "pad_lo", attrs.pad_lo.size(), d));
  if (!attrs.pad_hi.empty()) QL_RETURN_IF_ERROR(check_length(ctx, "pad_hi", attrs.pad_hi.size(), d));
  if (!is_arithmetic_float(x.type) && !(is_integer(x.type) && info(x.type).bits <= 32)) {
    return ctx.error("x", "is " + std::string(name(x.type)) + ", which is not pooled", "cast it to float32 or int32");
  }
  Shape out{x.shape[0]};
  for (size_t s = 0; s < d; s++) {
    const int64_t lo = pad_at(attrs.pad_lo, s), hi = pad_at(attrs.pad_hi, s);
    const std::string field = "windows[" + std::to_string(s) + "]";
    if (lo < 0 || hi < 0) return ctx.error("pad_lo", "padding of a pool is not negative", "slice the input instead");
    const Window& window = attrs.windows[s];
    QL_ASSIGN(const int64_t positions,
              window_positions(ctx, field, window, saturating_add(saturating_add(x.shape[1 + s], lo), hi)));
    // Every window must see an element: otherwise a maximum of nothing.
    for (int64_t o = 0; attrs.kind == PoolKind::kMax && o < positions; o++) {
      const int64_t first = o * window.stride - lo;
      // The first tap at or after the start of the axis.
      const int64_t skip = first >= 0 ? 0 : (-first + window.dilation - 1) / window.dilation;
      if (skip >= window.kernel || first + skip * window.dilation >= x.shape[1 + s]) {
        return ctx.error(field, "window " + std::to_string(o) + " lies wholly in the padding", "pad less");
      }
      // Windows that start inside see their first element; the next one to look at is the last.
      if (first >= 0) o = std::max(o, positions - 2);
    }
    out.push_back(positions);
  }
  out.push_back(x.shape[d + 1]);
  QL_RETURN_IF_ERROR(check_shape(out).at({"", ctx.node.origin.name, ""}));
  QL_ASSIGN(const ValueType type, check_steps(ctx, attrs.steps, value_type(attrs.kind, x.type), out, 1));
  return std::vector<TensorType>{{type, out}};
}

/// For each spatial result position: the offsets of the window's elements inside the input, row-major.
std::vector<std::vector<int64_t>> window_elements(const PoolAttrs& attrs, const Shape& x, const Shape& out) {
  const auto strides = row_major_strides(x);
  std::vector<std::vector<int64_t>> positions{{0}};
  for (size_t s = 0; s < attrs.windows.size(); s++) {
    const Window& window = attrs.windows[s];
    std::vector<std::vector<int64_t>> longer;
    for (const std::vector<int64_t>& outer : positions) {
      for (int64_t o = 0; o < out[1 + s]; o++) {
        std::vector<int64_t>& elements = longer.emplace_back();
        for (int64_t base : outer) {
          for (int64_t k = 0; k < window.kernel; k++) {
            const int64_t at = o * window.stride + k * window.dilation - pad_at(attrs.pad_lo, s);
            if (at >= 0 && at < x[1 + s]) elements.push_back(base + at * strides[1 + s]);
          }
        }
      }
    }
    positions = std::move(longer);
  }
  return positions;
}

void evaluate(const EvalContext& ctx) {
  const auto& attrs = ctx.node.as<PoolAttrs>();
  const HostTensor& x = *ctx.inputs[0];
  const auto windows = window_elements(attrs, x.shape(), ctx.outputs[0]->shape());
  const auto channels = static_cast<size_t>(x.shape().back());
  const int64_t image = x.shape()[0] == 0 ? 0 : x.size() / x.shape()[0];
  const bool integer = is_integer(x.type()), max = attrs.kind == PoolKind::kMax;
  HostTensor value(value_type(attrs.kind, x.type()), ctx.outputs[0]->shape());
  std::vector<Value> pixel(channels), out(channels);
  std::vector<int64_t> at(channels);
  int64_t to = 0;
  for (int64_t i = 0; i < x.shape()[0]; i++) {
    for (const std::vector<int64_t>& elements : windows) {
      std::fill(out.begin(), out.end(), integer ? Value{.i = 0} : Value{.f = 0.f});
      for (size_t e = 0; e < elements.size(); e++) {
        for (size_t c = 0; c < channels; c++)
          at[c] = i * image + elements[e] + static_cast<int64_t>(c);
        load_values(x, at.data(), channels, pixel.data());
        for (size_t c = 0; c < channels; c++) {
          Value &v = out[c], y = pixel[c];
          if (max && e == 0)
            v = y;
          else if (integer)
            v.i = max ? max_step(v.i, y.i)
                      : static_cast<int32_t>(static_cast<uint32_t>(v.i) + static_cast<uint32_t>(y.i));
          else
            v.f = max ? max_step(v.f, y.f) : v.f + y.f;
        }
      }
      store_values(out.data(), channels, to, value);
      to += static_cast<int64_t>(channels);
    }
  }
  finish(ctx, attrs.steps, value);
}

const OpRegistry::Add kPool({.name = "pool",
                             .summary = "max or sum over windows, channels last",
                             .operands = {"x", "operands..."},
                             .required = 1,
                             .make_attrs = [] { return std::make_shared<PoolAttrs>(); },
                             .infer = infer,
                             .evaluate = evaluate,
                             .steps = steps_of<PoolAttrs>,
                             .first_step_operand = 1});

}  // namespace
}  // namespace qlathe
