// transpose, slice, concat and broadcast: copies by strides, vectorized along the result's last axis.
#include "frontend/ops/movement.h"

#include "schedule/lower/strided_copy.h"

namespace qlathe {
namespace {

Result<NodeLowering> one_call(Result<LoweredCall> call) {
  if (!call.ok()) return call.status();
  NodeLowering out;
  out.calls.push_back(std::move(call).value());
  return out;
}

Result<NodeLowering> copy_whole(const LoweringContext& context, const std::string& what, int64_t offset,
                                const std::vector<int64_t>& from_strides) {
  const Shape& shape = context.out().shape();
  const std::vector<int64_t> to_strides = row_major_strides(shape);
  std::vector<CopyAxis> axes;
  for (size_t d = 0; d < shape.size(); d++)
    axes.push_back({shape[d], from_strides[d], to_strides[d]});
  return one_call(
      lower_strided_copy(context, what, context.node.inputs[0], offset, context.node.outputs[0], 0, std::move(axes)));
}

Result<NodeLowering> lower_transpose(const LoweringContext& context) {
  const std::vector<int64_t> strides = row_major_strides(context.in(0).shape());
  std::vector<int64_t> permuted;
  for (const int64_t axis : context.node.as<TransposeAttrs>().permutation)
    permuted.push_back(strides[static_cast<size_t>(axis)]);
  return copy_whole(context, "transpose", 0, permuted);
}

Result<NodeLowering> lower_slice(const LoweringContext& context) {
  const auto& attrs = context.node.as<SliceAttrs>();
  std::vector<int64_t> strides = row_major_strides(context.in(0).shape());
  int64_t offset = 0;
  for (size_t d = 0; d < strides.size(); d++) {
    offset += attrs.start[d] * strides[d];
    if (!attrs.step.empty()) strides[d] *= attrs.step[d];
  }
  return copy_whole(context, "slice", offset, strides);
}

Result<NodeLowering> lower_broadcast(const LoweringContext& context) {
  const Shape &from = context.in(0).shape(), &to = context.out().shape();
  const std::vector<int64_t> own = row_major_strides(from);
  std::vector<int64_t> strides(to.size(), 0);
  for (size_t d = 0; d < from.size(); d++) {
    if (from[d] > 1) strides[to.size() - from.size() + d] = own[d];
  }
  return copy_whole(context, "broadcast", 0, strides);
}

/// One call per operand, each writing its part of the result; equal operands share a kernel.
Result<NodeLowering> lower_concat(const LoweringContext& context) {
  const auto axis = static_cast<size_t>(context.node.as<ConcatAttrs>().axis);
  const std::vector<int64_t> to = row_major_strides(context.out().shape());
  NodeLowering out;
  int64_t offset = 0;
  for (size_t i = 0; i < context.node.inputs.size(); i++) {
    const Shape& shape = context.in(i).shape();
    if (element_count(shape) == 0) continue;
    const std::vector<int64_t> from = row_major_strides(shape);
    std::vector<CopyAxis> axes;
    for (size_t d = 0; d < shape.size(); d++)
      axes.push_back({shape[d], from[d], to[d]});
    QL_ASSIGN(LoweredCall call, lower_strided_copy(context, "concat", context.node.inputs[i], 0,
                                                   context.node.outputs[0], offset, std::move(axes)));
    out.calls.push_back(std::move(call));
    offset += shape[axis] * to[axis];
  }
  return out;
}

const LoweringRegistry::Add add_transpose("transpose", lower_transpose);
const LoweringRegistry::Add add_slice("slice", lower_slice);
const LoweringRegistry::Add add_broadcast("broadcast", lower_broadcast);
const LoweringRegistry::Add add_concat("concat", lower_concat);

}  // namespace
}  // namespace qlathe
