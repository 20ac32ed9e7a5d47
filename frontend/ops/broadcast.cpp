#include "frontend/ops/checks.h"
#include "frontend/ops/copy.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/tiled_broadcast.h"

namespace qlathe {
namespace {

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const Shape& shape = ctx.node.as<BroadcastAttrs>().shape;
  QL_RETURN_IF_ERROR(check_shape(shape).at({"", ctx.node.origin.name, "shape"}));
  const TensorType& x = ctx.in(0);
  if (!broadcasts_plainly_to(x.shape, shape)) {
    return ctx.error("shape", "the operand " + to_string(x.shape) + " does not broadcast to " + to_string(shape),
                     "every extent must be 1 or the result's, aligned at the last axis");
  }
  return std::vector<TensorType>{{x.type, shape}};
}

void evaluate(const EvalContext& ctx) {
  const Shape &from = ctx.inputs[0]->shape(), &to = ctx.outputs[0]->shape();
  const auto strides = row_major_strides(from);
  const size_t lead = to.size() - from.size();
  std::vector<std::vector<int64_t>> tables;
  for (size_t d = 0; d < to.size(); d++) {
    const int64_t stride = d < lead || from[d - lead] == 1 ? 0 : strides[d - lead];
    std::vector<int64_t>& table = tables.emplace_back();
    for (int64_t i = 0; i < to[d]; i++)
      table.push_back(i * stride);
  }
  copy_by_tables(*ctx.inputs[0], tables, *ctx.outputs[0]);
}

const OpRegistry::Add kBroadcast({.name = "broadcast",
                                  .summary = "elements repeated to a larger shape",
                                  .operands = {"x"},
                                  .required = 1,
                                  .make_attrs = [] { return std::make_shared<BroadcastAttrs>(); },
                                  .infer = infer,
                                  .evaluate = evaluate,
                                  .work = OpWork::kMoves});

}  // namespace
}  // namespace qlathe
