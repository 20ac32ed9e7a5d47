#include <algorithm>
#include <cmath>

#include "frontend/ops/checks.h"
#include "frontend/ops/float_sums.h"
#include "frontend/ops/pointwise_steps.h"
#include "frontend/ops/product_sums.h"
#include "frontend/ops/reduction.h"
#include "frontend/ops/tiled_broadcast.h"

namespace qlathe {
namespace {

bool keeps_elements(ReduceKind kind) { return kind == ReduceKind::kMax || kind == ReduceKind::kMin; }

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const auto& attrs = ctx.node.as<ReduceAttrs>();
  const TensorType& x = ctx.in(0);
  QL_RETURN_IF_ERROR(check_axes(ctx, "axes", attrs.axes, static_cast<int64_t>(x.shape.size())));
  if (!std::is_sorted(attrs.axes.begin(), attrs.axes.end())) {
    return ctx.error("axes", "are not ascending", "sort them");
  }
  const bool integer = is_integer(x.type) && info(x.type).bits <= 32;
  if (!is_arithmetic_float(x.type) && !integer) {
    return ctx.error("x", "is " + std::string(name(x.type)) + ", which is not reduced", "cast it to float32 or int32");
  }
  TensorType out{keeps_elements(attrs.kind) ? x.type : integer ? ValueType::kI32 : ValueType::kF32, {}};
  for (size_t d = 0; d < x.shape.size(); d++) {
    const bool reduced = std::count(attrs.axes.begin(), attrs.axes.end(), static_cast<int64_t>(d)) > 0;
    if (reduced && x.shape[d] == 0 && keeps_elements(attrs.kind)) {
      return ctx.error("axes", "axis " + std::to_string(d) + " has no elements, so no max or min");
    }
    if (!reduced)
      out.shape.push_back(x.shape[d]);
    else if (attrs.keep_dims)
      out.shape.push_back(1);
  }
  QL_ASSIGN(out.type, check_steps(ctx, attrs.steps, out.type, out.shape, 1));
  return std::vector<TensorType>{out};
}

/// One result; element(i) is the i-th reduced element in row-major order.
template <class Element>
float reduce_floats(const ReduceAttrs& attrs, int64_t n, Element&& element) {
  switch (attrs.kind) {
    case ReduceKind::kSum:
      return ordered_sum<float>(attrs.sum_order, n, [&](float sum, int64_t i) { return sum + element(i); });
    case ReduceKind::kSumSquares:
      return ordered_sum<float>(attrs.sum_order, n,
                                [&](float sum, int64_t i) { return std::fma(element(i), element(i), sum); });
    case ReduceKind::kProduct:
      return sum_sequential(n, 1.f, [&](float product, int64_t i) { return product * element(i); });
    case ReduceKind::kAbsMax:
      return sum_sequential(n, 0.f, [&](float max, int64_t i) { return max_step(max, std::fabs(element(i))); });
    case ReduceKind::kMax:
      return sum_sequential(n - 1, element(0), [&](float max, int64_t i) { return max_step(max, element(i + 1)); });
    case ReduceKind::kMin:
      return sum_sequential(n - 1, element(0), [&](float min, int64_t i) { return min_step(min, element(i + 1)); });
  }
  QL_CHECK(false, std::to_string(static_cast<int>(attrs.kind)));
}

/// The same on integers: int32 arithmetic, wrapping (through unsigned). max and min keep any integer.
template <class Element>
int64_t reduce_integers(ReduceKind kind, int64_t n, Element&& element) {
  const auto wrap = [&](int64_t i) { return static_cast<uint32_t>(element(i)); };
  const auto narrow = [](uint32_t value) { return static_cast<int64_t>(static_cast<int32_t>(value)); };
  switch (kind) {
    case ReduceKind::kSum:
      return narrow(sum_sequential(n, uint32_t{0}, [&](uint32_t sum, int64_t i) { return sum + wrap(i); }));
    case ReduceKind::kSumSquares:
      return narrow(sum_sequential(n, uint32_t{0}, [&](uint32_t sum, int64_t i) { return sum + wrap(i) * wrap(i); }));
    case ReduceKind::kProduct:
      return narrow(sum_sequential(n, uint32_t{1}, [&](uint32_t sum, int64_t i) { return sum * wrap(i); }));
    case ReduceKind::kAbsMax:
      return narrow(static_cast<uint32_t>(
          sum_sequential(n, int64_t{0}, [&](int64_t max, int64_t i) { return max_step(max, std::abs(element(i))); })));
    case ReduceKind::kMax:
      return sum_sequential(n - 1, element(0), [&](int64_t max, int64_t i) { return max_step(max, element(i + 1)); });
    case ReduceKind::kMin:
      return sum_sequential(n - 1, element(0), [&](int64_t min, int64_t i) { return min_step(min, element(i + 1)); });
  }
  QL_CHECK(false, std::to_string(static_cast<int>(kind)));
}

void evaluate(const EvalContext& ctx) {
  const auto& attrs = ctx.node.as<ReduceAttrs>();
  const HostTensor& x = *ctx.inputs[0];
  const auto strides = row_major_strides(x.shape());
  std::vector<Axis> kept, reduced;
  for (size_t d = 0; d < strides.size(); d++) {
    const bool in = std::count(attrs.axes.begin(), attrs.axes.end(), static_cast<int64_t>(d)) > 0;
    (in ? reduced : kept).push_back({x.shape()[d], strides[d]});
  }
  const std::vector<int64_t> results = loop_offsets(kept), elements = loop_offsets(reduced);
  const auto n = static_cast<int64_t>(elements.size());
  const bool integer = is_integer(x.type());
  HostTensor value(keeps_elements(attrs.kind) ? x.type()
                   : integer                  ? ValueType::kI32
                                              : ValueType::kF32,
                   ctx.outputs[0]->shape());
  const std::vector<float> floats = integer ? std::vector<float>{} : widen<float>(x);
  for (size_t r = 0; r < results.size(); r++) {
    Value out;
    const auto at = [&](int64_t i) { return results[r] + elements[static_cast<size_t>(i)]; };
    if (integer)
      out.i = reduce_integers(attrs.kind, n, [&](int64_t i) { return x.int_at(at(i)); });
    else
      out.f = reduce_floats(attrs, n, [&](int64_t i) { return floats[static_cast<size_t>(at(i))]; });
    store_values(&out, 1, static_cast<int64_t>(r), value);
  }
  finish(ctx, attrs.steps, value);
}

/// A sum keeps its order where the reduced axes keep theirs and what is interleaved is the last axis before and after.
std::shared_ptr<const OpAttrs> on_base(const InferContext& ctx, const std::vector<int64_t>& p) {
  auto attrs = std::make_shared<ReduceAttrs>(ctx.node.as<ReduceAttrs>());
  if (!attrs->keep_dims) return nullptr;
  for (int64_t& axis : attrs->axes)
    axis = p[static_cast<size_t>(axis)];
  const bool exact =
      attrs->kind == ReduceKind::kMax || attrs->kind == ReduceKind::kMin || attrs->kind == ReduceKind::kAbsMax;
  if (!exact && !std::is_sorted(attrs->axes.begin(), attrs->axes.end())) return nullptr;
  std::sort(attrs->axes.begin(), attrs->axes.end());
  return attrs;
}

const OpRegistry::Add kReduce({.name = "reduce",
                               .summary = "sum, max, min and the like over axes",
                               .operands = {"x", "operands..."},
                               .required = 1,
                               .make_attrs = [] { return std::make_shared<ReduceAttrs>(); },
                               .infer = infer,
                               .evaluate = evaluate,
                               .steps = steps_of<ReduceAttrs>,
                               .first_step_operand = 1,
                               .layout = {.attrs = on_base, .follows = follows_steps<ReduceAttrs>}});

}  // namespace
}  // namespace qlathe
