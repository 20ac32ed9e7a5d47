#include "schedule/lower/strided_copy.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "schedule/kernel.h"
#include "schedule/lower/rows.h"
#include "schedule/lower/value.h"

namespace qlathe {
namespace {

/// A transposition in blocks of the result's last axis and the axis that is contiguous in the operand.
struct Blocks {
  size_t across = 0;              ///< the axis that is contiguous in the operand
  int32_t side = 0;               ///< of the squares that are exchanged in registers
  int32_t columns = 0, rows = 0;  ///< of a block, multiples of the side: a cache line where the extents allow it
};

/// The blocks of a copy between axes that 4 or more divides. On vectors a side is at most one of them.
std::optional<Blocks> find_blocks(const std::vector<CopyAxis>& axes, int lanes, int64_t bytes) {
  if (axes.back().to != 1) return std::nullopt;
  for (size_t d = axes.size() - 1; d-- > 0;) {
    if (axes[d].from != 1) continue;
    const int64_t columns = axes.back().extent, rows = axes[d].extent;
    for (const int32_t side : {16, 8, 4}) {
      if (side > std::max(4, lanes) || columns % side != 0 || rows % side != 0) continue;
      Blocks blocks{d, side, side, side};
      const int64_t most = std::max<int64_t>(16, 64 / bytes);
      while (columns % (2 * blocks.columns) == 0 && 2 * blocks.columns <= most)
        blocks.columns *= 2;
      while (rows % (2 * blocks.rows) == 0 && 2 * blocks.rows <= most)
        blocks.rows *= 2;
      return blocks;
    }
    return std::nullopt;
  }
  return std::nullopt;
}

/// Loops over blocks, squares, rows and columns. A block is copied to memory of its own first, in whole vectors: read
/// straight from the operand, lines that are a power of two apart push each other out of the first cache before they
/// are used up (1024 x 1024 floats: six times slower).
void schedule_blocks(Halide::Func out, Halide::Func block, const std::vector<Halide::Var>& vars,
                     const std::vector<CopyAxis>& axes, const Blocks& blocks, int64_t bytes, bool vectorize,
                     KernelPipeline& pipeline, LoweredCall& call) {
  const Halide::Var column("column"), row("row"), inner_column("cs"), inner_row("rs"), x("x"), y("y");
  const Halide::Var& across = vars[blocks.across];
  const Halide::TailStrategy exact = Halide::TailStrategy::RoundUp;
  out.split(vars.back(), column, x, blocks.columns, exact).split(x, inner_column, x, blocks.side, exact);
  out.split(across, row, y, blocks.rows, exact).split(y, inner_row, y, blocks.side, exact);
  std::vector<Halide::VarOrRVar> order = {x, y, inner_column, inner_row, column};
  int64_t rows = axes[blocks.across].extent / blocks.rows;
  for (size_t d = axes.size() - 1; d-- > 0;)
    order.emplace_back(d == blocks.across ? row : vars[d]);
  out.reorder(order);
  std::vector<Halide::Var> storage = {across};
  std::vector<Halide::VarOrRVar> loops = {across};
  for (size_t d = vars.size(); d-- > 0;) {
    if (d == blocks.across) continue;
    storage.push_back(vars[d]);
    loops.emplace_back(vars[d]);
  }
  block.compute_at(out, column).reorder_storage(storage).reorder(loops);
  if (vectorize) block.vectorize(across, std::min(blocks.rows, static_cast<int32_t>(64 / bytes)), exact);
  const Halide::Var outermost = blocks.across == 0 ? row : vars[0];
  if (blocks.across != 0) rows = axes[0].extent;
  int64_t elements = 1;
  for (const CopyAxis& axis : axes)
    elements *= axis.extent;
  pipeline.row_loop = outermost.name();
  pipeline.row_extent = static_cast<int32_t>(rows);
  call.min_rows_per_task = static_cast<int32_t>(std::max<int64_t>(1, kElementsPerTask * rows / elements));
}

/// A square of n x n elements as one array, of which every round interleaves the first half with the second: that turns
/// the bits of an index by one, so log2 n rounds exchange rows and columns. An interleaving is one instruction or two,
/// an element moved by itself a load and a store.
class Interleaving {
 public:
  Interleaving(const std::vector<Halide::Var>& vars, const Blocks& blocks) : vars_(vars), blocks_(blocks) {}

  /// The result's element at `vars`, `source` being the operand.
  Halide::Expr value(Halide::Func source) {
    const int32_t n = blocks_.side, half = n * n / 2;
    std::vector<Halide::Var> args = {b_, g_};
    args.insert(args.end(), vars_.rbegin(), vars_.rend());
    std::vector<Halide::Expr> outer(vars_.rbegin(), vars_.rend());
    const Halide::Expr before = g_ + b_ * half;  // in the round before
    for (int32_t size = n; size > 1; size /= 2) {
      Halide::Func round("square");
      if (rounds_.empty()) {
        std::vector<Halide::Expr> at = as_expressions(vars_);
        at.back() = vars_.back() * n + before / n;
        at[blocks_.across] = vars_[blocks_.across] * n + before % n;
        round(args) = source(innermost_first(at));
      } else {
        std::vector<Halide::Expr> at = {before % 2, before / 2};
        at.insert(at.end(), outer.begin(), outer.end());
        round(args) = rounds_.back()(at);
      }
      rounds_.push_back(round);
    }
    // Columns are contiguous now. The outer variables of the rounds count squares.
    const Halide::Var &column = vars_.back(), &row = vars_[blocks_.across];
    const Halide::Expr place = column % n + row % n * n;
    std::vector<Halide::Expr> at = as_expressions(vars_);
    at.back() = column / n;
    at[blocks_.across] = row / n;
    std::vector<Halide::Expr> last = {place % 2, place / 2};
    last.insert(last.end(), at.rbegin(), at.rend());
    return rounds_.back()(last);
  }

  /// After schedule_blocks.
  void schedule(Halide::Func out) {
    out.vectorize(Halide::Var("x"));
    const int32_t n = blocks_.side;
    for (Halide::Func& round : rounds_) {
      const Halide::Var vector("v");
      round.compute_at(out, Halide::Var("cs")).bound(b_, 0, 2).bound(g_, 0, n * n / 2);
      round.split(g_, vector, g_, n, Halide::TailStrategy::RoundUp).reorder(b_, g_, vector).unroll(b_).vectorize(g_);
    }
  }

 private:
  const std::vector<Halide::Var>& vars_;
  Blocks blocks_;
  Halide::Var b_{"b"}, g_{"g"};
  std::vector<Halide::Func> rounds_;
};

/// Two to four planes that become neighbouring elements (the channels of a picture): the operand is contiguous along
/// the axis before the last.
bool interleaves_planes(const std::vector<CopyAxis>& axes) {
  if (axes.size() < 2) return false;
  const CopyAxis &planes = axes.back(), &pixels = axes[axes.size() - 2];
  return planes.extent >= 2 && planes.extent <= 4 && planes.to == 1 && pixels.from == 1 && pixels.to == planes.extent;
}

/// A vector of each plane, stored as one of pixels. Vectors of 16 bytes: their interleaving is a few byte shuffles.
void schedule_planes(Halide::Func out, const std::vector<Halide::Var>& vars, const std::vector<CopyAxis>& axes,
                     int lanes, KernelPipeline& pipeline, LoweredCall& call) {
  const Halide::Var &plane = vars.back(), &pixel = vars[vars.size() - 2];
  const Halide::Var pixels("pixels"), lane("lane");
  out.bound(plane, 0, static_cast<int32_t>(axes.back().extent)).unroll(plane);
  out.split(pixel, pixels, lane, lanes, Halide::TailStrategy::ShiftInwards)
      .reorder(plane, lane, pixels)
      .vectorize(lane);
  const bool alone = vars.size() == 2;
  pipeline.row_loop = alone ? pixels.name() : vars[0].name();
  int64_t elements = 1;
  for (const CopyAxis& axis : axes)
    elements *= axis.extent;
  const int64_t rows = alone ? (axes[0].extent + lanes - 1) / lanes : axes[0].extent;
  pipeline.row_extent = static_cast<int32_t>(rows);
  call.min_rows_per_task = static_cast<int32_t>(std::max<int64_t>(1, kElementsPerTask * rows / elements));
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
  const bool dense = (fill || std::abs(axes.back().from) <= 1) && axes.back().to == 1;
  const int lanes = context.target.vectorize ? context.target.lanes(static_cast<int>(8 * bytes)) : 1;
  std::optional<Blocks> blocks;
  if (!dense) blocks = find_blocks(axes, context.target.vectorize ? lanes : 16, bytes);
  const auto plane_lanes = static_cast<int>(16 / bytes);
  const bool planes = !fill && !blocks && context.target.vectorize && lanes >= plane_lanes && plane_lanes >= 4 &&
                      interleaves_planes(axes) && axes[axes.size() - 2].extent >= plane_lanes;
  std::optional<Interleaving> interleaving;
  if (blocks && lanes >= 4) interleaving.emplace(vars, *blocks);
  Halide::Func out("out"), block("block");
  const std::vector<Halide::Var> args = innermost_first(vars);
  if (!fill) block(args) = x(index);
  out(args) = fill           ? Halide::Internal::make_zero(storage_type(type))
              : interleaving ? interleaving->value(block)
                             : Halide::Expr(block(args));

  auto pipeline = std::make_shared<KernelPipeline>();
  pipeline->name = what + "_elements";
  LoweredCall call;
  // Every second element is two loads and a shuffle. Of longer strides elements are copied one by one.
  const bool every_second = !fill && axes.back().from == 2 && axes.back().to == 1;
  if (blocks) {
    schedule_blocks(out, block, vars, axes, *blocks, bytes, context.target.vectorize, *pipeline, call);
    if (interleaving) interleaving->schedule(out);
  } else if (planes) {
    schedule_planes(out, vars, axes, plane_lanes, *pipeline, call);
  } else {
    schedule_rows(out, vars, extents, dense || every_second ? lanes : 1, *pipeline, call);
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
