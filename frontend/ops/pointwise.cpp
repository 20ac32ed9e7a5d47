#include "frontend/ops/pointwise.h"

#include "frontend/ops/checks.h"
#include "frontend/ops/pointwise_steps.h"
#include "frontend/ops/tiled_broadcast.h"

namespace qlathe {
namespace {

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const auto& attrs = ctx.node.as<PointwiseAttrs>();
  if (ctx.in(0).type == ValueType::kF64) {
    return ctx.error("x", "is float64, which is not computed with", "convert it to float32");
  }
  std::vector<Shape> shapes{ctx.in(0).shape};
  std::string listed = to_string(shapes[0]);
  for (size_t i : broadcast_operands(attrs.steps)) {
    if (!ctx.has(i)) continue;  // check_steps reports it
    shapes.push_back(ctx.in(i).shape);
    listed += ", " + to_string(shapes.back());
  }
  const auto result = common_shape(shapes);
  if (!result) {
    return ctx.error("inputs", "shapes " + listed + " do not broadcast together",
                     "along each axis every extent must divide the largest, aligned at the last axis");
  }
  QL_ASSIGN(const ValueType type, check_steps(ctx, attrs.steps, ctx.in(0).type, *result, 0));
  return std::vector<TensorType>{{type, *result}};
}

void evaluate(const EvalContext& ctx) {
  run_steps(ctx.node.as<PointwiseAttrs>().steps, ctx.inputs, *ctx.inputs[0], *ctx.outputs[0]);
}

const OpRegistry::Add kPointwise({.name = "pointwise",
                                  .summary = "a chain of element-wise steps",
                                  .operands = {"x", "operands..."},
                                  .required = 1,
                                  .make_attrs = [] { return std::make_shared<PointwiseAttrs>(); },
                                  .infer = infer,
                                  .evaluate = evaluate,
                                  .steps = steps_of<PointwiseAttrs>,
                                  .first_step_operand = 0,
                                  .work = OpWork::kSteps,
                                  .layout = {.attrs = [](const InferContext& ctx,
                                                         const std::vector<int64_t>&) { return ctx.node.attrs; },
                                             .follows = follows_steps<PointwiseAttrs>,
                                             .any_leads = true}});

}  // namespace
}  // namespace qlathe
