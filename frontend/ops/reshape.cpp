#include <cstring>

#include "frontend/ops/checks.h"
#include "frontend/ops/movement.h"

namespace qlathe {
namespace {

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const Shape& shape = ctx.node.as<ReshapeAttrs>().shape;
  QL_RETURN_IF_ERROR(check_shape(shape).at({"", ctx.node.origin.name, "shape"}));
  const TensorType& x = ctx.in(0);
  if (element_count(shape) != element_count(x.shape)) {
    return ctx.error("shape",
                     to_string(shape) + " has " + std::to_string(element_count(shape)) + " elements, the operand " +
                         to_string(x.shape) + " has " + std::to_string(element_count(x.shape)),
                     "give a shape of equal size");
  }
  return std::vector<TensorType>{{x.type, shape}};
}

void evaluate(const EvalContext& ctx) {
  if (ctx.outputs[0]->byte_size() == 0) return;
  std::memcpy(ctx.outputs[0]->bytes(), ctx.inputs[0]->bytes(), ctx.inputs[0]->byte_size());
}

const OpRegistry::Add kReshape({.name = "reshape",
                                .summary = "the same elements under another shape",
                                .operands = {"x"},
                                .required = 1,
                                .make_attrs = [] { return std::make_shared<ReshapeAttrs>(); },
                                .infer = infer,
                                .evaluate = evaluate,
                                .work = OpWork::kMoves});

}  // namespace
}  // namespace qlathe
