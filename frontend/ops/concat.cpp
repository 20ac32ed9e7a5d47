#include <cstring>

#include "frontend/ops/checks.h"
#include "frontend/ops/movement.h"

namespace qlathe {
namespace {

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const int64_t axis = ctx.node.as<ConcatAttrs>().axis;
  TensorType out = ctx.in(0);
  QL_RETURN_IF_ERROR(check_axes(ctx, "axis", {axis}, static_cast<int64_t>(out.shape.size())));
  const auto at = static_cast<size_t>(axis);
  for (size_t i = 1; i < ctx.node.inputs.size(); i++) {
    if (!ctx.has(i)) return ctx.error("inputs", "operand " + std::to_string(i) + " of concat is missing");
    const TensorType& x = ctx.in(i);
    Shape same_but_axis = x.shape;
    if (same_but_axis.size() == out.shape.size()) same_but_axis[at] = out.shape[at];
    if (x.type != out.type || same_but_axis != out.shape) {
      return ctx.error(
          "inputs", "operand " + std::to_string(i) + " is " + to_string(x) + ", operand 0 is " + to_string(ctx.in(0)),
          "types and all extents but that of axis " + std::to_string(axis) + " must be equal");
    }
    out.shape[at] = saturating_add(out.shape[at], x.shape[at]);
  }
  return std::vector<TensorType>{out};
}

void evaluate(const EvalContext& ctx) {
  const auto axis = static_cast<size_t>(ctx.node.as<ConcatAttrs>().axis);
  const Shape& shape = ctx.outputs[0]->shape();
  int64_t rows = 1;
  for (size_t d = 0; d < axis; d++)
    rows *= shape[d];
  if (ctx.outputs[0]->byte_size() == 0) return;
  uint8_t* to = ctx.outputs[0]->bytes();
  for (int64_t row = 0; row < rows; row++) {
    for (const HostTensor* x : ctx.inputs) {
      const size_t run = x->byte_size() / static_cast<size_t>(rows);
      if (run > 0) std::memcpy(to, x->bytes() + static_cast<size_t>(row) * run, run);
      to += run;
    }
  }
}

std::shared_ptr<const OpAttrs> on_base(const InferContext& ctx, const std::vector<int64_t>& p) {
  // A part of one element would lose its axes.
  for (size_t i = 0; i < ctx.node.inputs.size(); i++) {
    if (element_count(ctx.in(i).shape) == 1) return nullptr;
  }
  auto attrs = std::make_shared<ConcatAttrs>(ctx.node.as<ConcatAttrs>());
  attrs->axis = p[static_cast<size_t>(attrs->axis)];
  return attrs;
}

const OpRegistry::Add kConcat(
    {.name = "concat",
     .summary = "operands one after the other along an axis",
     .operands = {"x0", "x1..."},
     .required = 1,
     .make_attrs = [] { return std::make_shared<ConcatAttrs>(); },
     .infer = infer,
     .evaluate = evaluate,
     .work = OpWork::kMoves,
     .layout = {.attrs = on_base, .follows = [](const Node&, size_t) { return true; }, .any_leads = true}});

}  // namespace
}  // namespace qlathe
