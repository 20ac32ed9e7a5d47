#include "schedule/lower/strided_copy.h"

#include <algorithm>

#include "schedule/kernel.h"
#include "schedule/lower/rows.h"
#include "schedule/lower/value.h"

namespace qlathe {

std::vector<CopyAxis> merge_copy_axes(const std::vector<CopyAxis>& axes) {
  std::vector<CopyAxis> out;
  for (const CopyAxis& axis : axes) {
    if (axis.extent == 1) continue;
    if (!out.empty() && out.back().from == axis.from * axis.extent && out.back().to == axis.to * axis.extent) {
      out.back() = {out.back().extent * axis.extent, axis.from, axis.to};
    } else {
      out.push_back(axis);
    }
  }
  return out;
}

Result<LoweredCall> lower_strided_copy(const LoweringContext& context, const std::string& what, TensorId from,
                                       int64_t from_offset, TensorId to, int64_t to_offset,
                                       std::vector<CopyAxis> axes) {
  const ValueType type = context.graph[from].type.type;
  const int64_t bytes = storage_bytes(type);
  axes = merge_copy_axes(axes);
  if (axes.empty()) axes.push_back({1, 1, 1});

  const std::vector<Halide::Var> vars = axis_vars(axes.size());
  Halide::ImageParam x(storage_type(type), static_cast<int>(axes.size()), "x");
  Shape extents;
  std::vector<KernelDim> x_dims, out_dims;
  std::vector<Halide::Expr> index;
  std::string key = what + "|" + context.target.name + "|" + name(type);
  for (size_t d = 0; d < axes.size(); d++)
    extents.push_back(axes[d].extent);
  for (size_t d = axes.size(); d-- > 0;) {
    const auto extent = static_cast<int32_t>(axes[d].extent);
    const bool reversed = axes[d].from < 0;
    // A reversed axis is read from its lowest address on.
    if (reversed) from_offset += (axes[d].extent - 1) * axes[d].from;
    x_dims.push_back({extent, static_cast<int32_t>(std::abs(axes[d].from)), 0});
    out_dims.push_back({extent, static_cast<int32_t>(axes[d].to), 0});
    index.push_back(reversed ? Halide::Expr(extent - 1 - vars[d]) : Halide::Expr(vars[d]));
    key += ";" + std::to_string(extent) + ":" + std::to_string(axes[d].from) + ":" + std::to_string(axes[d].to);
  }
  Halide::Func out("out");
  out(innermost_first(vars)) = x(index);

  auto pipeline = std::make_shared<KernelPipeline>();
  pipeline->name = what;
  LoweredCall call;
  const int lanes = context.target.vectorize ? context.target.lanes(static_cast<int>(8 * bytes)) : 1;
  schedule_rows(out, vars, extents, lanes, *pipeline, call);
  pipeline->inputs = {{x, x_dims, static_cast<int32_t>(bytes)}};
  pipeline->outputs = {{out, out_dims, static_cast<int32_t>(bytes)}};
  call.operands = {KernelOperand::of(from, from_offset * bytes), KernelOperand::of(to, to_offset * bytes)};
  call.key = key;
  call.description = what + " " + to_string(context.graph[to].shape()) + " " + name(type);
  call.pipeline = std::move(pipeline);
  return call;
}

}  // namespace qlathe
