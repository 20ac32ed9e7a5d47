#include <algorithm>
#include <cstring>

#include "frontend/ops/checks.h"
#include "frontend/ops/movement.h"

namespace qlathe {
namespace {

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const int64_t axis = ctx.node.as<GatherAttrs>().axis;
  const TensorType &x = ctx.in(0), &indices = ctx.in(1);
  QL_RETURN_IF_ERROR(check_axes(ctx, "axis", {axis}, static_cast<int64_t>(x.shape.size())));
  if (!is_integer(indices.type)) {
    return ctx.error("indices", "are " + std::string(name(indices.type)) + ", expected integers", "cast them");
  }
  const auto at = static_cast<size_t>(axis);
  if (x.shape[at] == 0 && element_count(indices.shape) > 0) {
    return ctx.error("x", "axis " + std::to_string(axis) + " has no elements to choose from");
  }
  TensorType out{x.type, {x.shape.begin(), x.shape.begin() + axis}};
  out.shape.insert(out.shape.end(), indices.shape.begin(), indices.shape.end());
  out.shape.insert(out.shape.end(), x.shape.begin() + axis + 1, x.shape.end());
  return std::vector<TensorType>{out};
}

void evaluate(const EvalContext& ctx) {
  const HostTensor &x = *ctx.inputs[0], &indices = *ctx.inputs[1];
  if (ctx.outputs[0]->size() == 0) return;
  const auto axis = static_cast<size_t>(ctx.node.as<GatherAttrs>().axis);
  const int64_t extent = x.shape()[axis];
  // x [outer, extent, run bytes] -> [outer, indices, run bytes]
  const size_t run =
      static_cast<size_t>(row_major_strides(x.shape())[axis]) * static_cast<size_t>(storage_bytes(x.type()));
  const size_t outer = x.byte_size() / (static_cast<size_t>(extent) * run);
  uint8_t* to = ctx.outputs[0]->bytes();
  for (size_t o = 0; o < outer; o++) {
    for (int64_t i = 0; i < indices.size(); i++) {
      const int64_t index = indices.int_at(i);
      const int64_t inside = std::clamp<int64_t>(index < 0 ? index + extent : index, 0, extent - 1);
      std::memcpy(to, x.bytes() + (o * static_cast<size_t>(extent) + static_cast<size_t>(inside)) * run, run);
      to += run;
    }
  }
}

std::shared_ptr<const OpAttrs> on_base(const InferContext& ctx, const std::vector<int64_t>& p) {
  if (ctx.in(1).shape.size() != 1) return nullptr;
  auto attrs = std::make_shared<GatherAttrs>(ctx.node.as<GatherAttrs>());
  attrs->axis = p[static_cast<size_t>(attrs->axis)];
  return attrs;
}

const OpRegistry::Add kGather({.name = "gather",
                               .summary = "slices of an axis chosen by an integer tensor",
                               .operands = {"x", "indices"},
                               .required = 2,
                               .make_attrs = [] { return std::make_shared<GatherAttrs>(); },
                               .infer = infer,
                               .evaluate = evaluate,
                               .work = OpWork::kMoves,
                               .layout = {.attrs = on_base}});

}  // namespace
}  // namespace qlathe
