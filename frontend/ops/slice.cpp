#include "frontend/ops/checks.h"
#include "frontend/ops/copy.h"
#include "frontend/ops/movement.h"

namespace qlathe {
namespace {

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const auto& attrs = ctx.node.as<SliceAttrs>();
  const TensorType& x = ctx.in(0);
  QL_RETURN_IF_ERROR(check_length(ctx, "start", attrs.start.size(), x.shape.size()));
  QL_RETURN_IF_ERROR(check_length(ctx, "size", attrs.size.size(), x.shape.size()));
  if (!attrs.step.empty()) QL_RETURN_IF_ERROR(check_length(ctx, "step", attrs.step.size(), x.shape.size()));
  for (size_t d = 0; d < x.shape.size(); d++) {
    const int64_t step = attrs.step.empty() ? 1 : attrs.step[d];
    const int64_t last = saturating_add(attrs.start[d], saturating_mul(saturating_add(attrs.size[d], -1), step));
    if (attrs.size[d] < 0 || step == 0) {
      return ctx.error(step == 0 ? "step" : "size",
                       "is " + std::to_string(step == 0 ? 0 : attrs.size[d]) + " on axis " + std::to_string(d));
    }
    if (attrs.size[d] > 0 && (attrs.start[d] < 0 || attrs.start[d] >= x.shape[d] || last < 0 || last >= x.shape[d])) {
      return ctx.error("start",
                       "elements " + std::to_string(attrs.start[d]) + " to " + std::to_string(last) + " of axis " +
                           std::to_string(d) + " were asked for, which has " + std::to_string(x.shape[d]),
                       "keep start + (size - 1) * step inside the axis");
    }
  }
  return std::vector<TensorType>{{x.type, attrs.size}};
}

void evaluate(const EvalContext& ctx) {
  const auto& attrs = ctx.node.as<SliceAttrs>();
  const auto strides = row_major_strides(ctx.inputs[0]->shape());
  std::vector<std::vector<int64_t>> tables(strides.size());
  for (size_t d = 0; d < strides.size(); d++) {
    for (int64_t i = 0; i < attrs.size[d]; i++)
      tables[d].push_back((attrs.start[d] + i * (attrs.step.empty() ? 1 : attrs.step[d])) * strides[d]);
  }
  copy_by_tables(*ctx.inputs[0], tables, *ctx.outputs[0]);
}

std::shared_ptr<const OpAttrs> on_base(const InferContext& ctx, const std::vector<int64_t>& p) {
  auto attrs = std::make_shared<SliceAttrs>(ctx.node.as<SliceAttrs>());
  attrs->start = by_base_axes(attrs->start, p);
  attrs->size = by_base_axes(attrs->size, p);
  attrs->step = by_base_axes(attrs->step, p);
  return attrs;
}

const OpRegistry::Add kSlice({.name = "slice",
                              .summary = "a regular part of every axis",
                              .operands = {"x"},
                              .required = 1,
                              .make_attrs = [] { return std::make_shared<SliceAttrs>(); },
                              .infer = infer,
                              .evaluate = evaluate,
                              .work = OpWork::kMoves,
                              .layout = {.attrs = on_base}});

}  // namespace

std::vector<int64_t> by_base_axes(const std::vector<int64_t>& list, const std::vector<int64_t>& p) {
  std::vector<int64_t> out(list.size());
  for (size_t i = 0; i < list.size(); i++)
    out[static_cast<size_t>(p[i])] = list[i];
  return out;
}

}  // namespace qlathe
