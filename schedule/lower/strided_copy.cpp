#include "schedule/lower/strided_copy.h"

#include <algorithm>
#include <cstdlib>

#include "schedule/kernel.h"
#include "schedule/lower/rows.h"
#include "schedule/lower/value.h"

namespace qlathe {
namespace {

/// The side of a block: divides the extent, at most `most` elements; 1 if there is none worth it.
int32_t block_side(int64_t extent, int32_t most) {
  for (int32_t side = most; side >= 4; side /= 2) {
    if (extent % side == 0) return side;
  }
  return 1;
}

/// A transposition: blocks of the result's last axis and the axis that is contiguous in the operand. A block is copied
/// to memory of its own first, in whole vectors: read straight from the operand, lines that are a power of two apart
/// push each other out of the first cache before they are used up (1024 x 1024 floats: six times slower).
bool schedule_blocks(Halide::Func out, Halide::Func block, const std::vector<Halide::Var>& vars,
                     const std::vector<CopyAxis>& axes, int64_t bytes, bool vectorize, KernelPipeline& pipeline,
                     LoweredCall& call) {
  size_t across = axes.size();
  for (size_t d = 0; d + 1 < axes.size(); d++) {
    if (axes[d].from == 1) across = d;
  }
  if (across == axes.size() || axes.back().to != 1) return false;
  // A cache line along either side.
  const int32_t side = bytes == 1 ? 64 : 16;
  const int32_t a = block_side(axes.back().extent, side), b = block_side(axes[across].extent, side);
  if (a == 1 || b == 1) return false;
  const Halide::Var column("column"), row("row"), x("x"), y("y");
  const Halide::TailStrategy exact = Halide::TailStrategy::RoundUp;
  out.split(vars.back(), column, x, a, exact).split(vars[across], row, y, b, exact);
  std::vector<Halide::VarOrRVar> order = {x, y, column};
  int64_t rows = axes[across].extent / b;
  for (size_t d = axes.size() - 1; d-- > 0;)
    order.emplace_back(d == across ? row : vars[d]);
  out.reorder(order);
  std::vector<Halide::Var> storage = {vars[across]};
  std::vector<Halide::VarOrRVar> loops = {vars[across]};
  for (size_t d = vars.size(); d-- > 0;) {
    if (d == across) continue;
    storage.push_back(vars[d]);
    loops.emplace_back(vars[d]);
  }
  block.compute_at(out, column).reorder_storage(storage).reorder(loops);
  const auto lanes = std::min(b, static_cast<int32_t>(64 / bytes));
  if (vectorize) block.vectorize(vars[across], lanes, exact);
  const Halide::Var outermost = across == 0 ? row : vars[0];
  if (across != 0) rows = axes[0].extent;
  int64_t elements = 1;
  for (const CopyAxis& axis : axes)
    elements *= axis.extent;
  pipeline.row_loop = outermost.name();
  pipeline.row_extent = static_cast<int32_t>(rows);
  call.min_rows_per_task = static_cast<int32_t>(std::max<int64_t>(1, kElementsPerTask * rows / elements));
  return true;
}

}  // namespace

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
  const ValueType type = context.graph[to].type.type;
  const bool fill = !from.valid();
  const int64_t bytes = storage_bytes(type);
  axes = merge_copy_axes(axes);
  if (axes.empty()) axes.push_back({1, 1, 1});

  const std::vector<Halide::Var> vars = axis_vars(axes.size());
  Halide::ImageParam x(storage_type(type), static_cast<int>(axes.size()), "x");
  Shape extents;
  std::vector<KernelDim> x_dims, out_dims;
  std::vector<Halide::Expr> index;
  std::string key = what + (fill ? "|zeros|" : "|copy|") + context.target.name + "|" + name(type);
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
  // Strided vectors would become shuffles of many registers, or inserts: elements are copied one by one, in blocks that
  // use whole cache lines of both sides.
  const bool dense = (fill || std::abs(axes.back().from) <= 1) && axes.back().to == 1;
  const bool vectorize = context.target.vectorize && dense;
  Halide::Func out("out"), block("block");
  const std::vector<Halide::Var> args = innermost_first(vars);
  if (!fill) block(args) = x(index);
  out(args) = fill ? Halide::Internal::make_zero(storage_type(type)) : Halide::Expr(block(args));

  auto pipeline = std::make_shared<KernelPipeline>();
  pipeline->name = what + "_elements";
  LoweredCall call;
  if (dense || !schedule_blocks(out, block, vars, axes, bytes, context.target.vectorize, *pipeline, call)) {
    schedule_rows(out, vars, extents, vectorize ? context.target.lanes(static_cast<int>(8 * bytes)) : 1, *pipeline,
                  call);
  }
  if (!fill) {
    pipeline->inputs = {{x, x_dims, static_cast<int32_t>(bytes)}};
    call.operands.push_back(KernelOperand::of(from, from_offset * bytes));
  }
  pipeline->outputs = {{out, out_dims, static_cast<int32_t>(bytes)}};
  call.operands.push_back(KernelOperand::of(to, to_offset * bytes));
  call.key = key;
  call.description = what + " " + to_string(context.graph[to].shape()) + " " + name(type);
  call.pipeline = std::move(pipeline);
  return call;
}

}  // namespace qlathe
