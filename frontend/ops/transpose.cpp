#include "frontend/ops/checks.h"
#include "frontend/ops/copy.h"
#include "frontend/ops/movement.h"

namespace qlathe {
namespace {

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const auto& permutation = ctx.node.as<TransposeAttrs>().permutation;
  const TensorType& x = ctx.in(0);
  QL_RETURN_IF_ERROR(check_length(ctx, "permutation", permutation.size(), x.shape.size()));
  QL_RETURN_IF_ERROR(check_axes(ctx, "permutation", permutation, static_cast<int64_t>(x.shape.size())));
  TensorType out{x.type, {}};
  for (int64_t axis : permutation)
    out.shape.push_back(x.shape[static_cast<size_t>(axis)]);
  return std::vector<TensorType>{out};
}

void evaluate(const EvalContext& ctx) {
  const auto strides = row_major_strides(ctx.inputs[0]->shape());
  std::vector<std::vector<int64_t>> tables;
  for (int64_t axis : ctx.node.as<TransposeAttrs>().permutation) {
    std::vector<int64_t>& table = tables.emplace_back();
    for (int64_t i = 0; i < ctx.inputs[0]->shape()[static_cast<size_t>(axis)]; i++)
      table.push_back(i * strides[static_cast<size_t>(axis)]);
  }
  copy_by_tables(*ctx.inputs[0], tables, *ctx.outputs[0]);
}

const OpRegistry::Add kTranspose({.name = "transpose",
                                  .summary = "axes in another order",
                                  .operands = {"x"},
                                  .required = 1,
                                  .make_attrs = [] { return std::make_shared<TransposeAttrs>(); },
                                  .infer = infer,
                                  .evaluate = evaluate,
                                  .work = OpWork::kMoves});

}  // namespace
}  // namespace qlathe
