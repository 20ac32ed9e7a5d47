// depthwise on the dot instruction: four input rows of a channel are interleaved bytewise, once for a strip of columns,
// and every dot product takes four rows of the window (missing ones have zero weights). The interleaved bytes serve
// several columns, and two result rows where the window leaves room: with weights [w0 w1 w2 0] and [0 w0 w1 w2] four
// rows give two rows of a 3x3 window.
#include <algorithm>
#include <cstring>
#include <limits>

#include "schedule/lower/depthwise_shape.h"
#include "schedule/lower/requantize_kernel.h"

namespace qlathe {

using Halide::cast;
using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

namespace {

int32_t i32(int64_t value) { return static_cast<int32_t>(value); }

bool byte_integer(ValueType t) { return is_integer(t) && storage_bytes(t) == 1; }

struct DotTile {
  int64_t row_tile = 1;     ///< result rows that share interleaved rows
  int64_t row_groups = 1;   ///< groups of four input rows
  int64_t needed_rows = 1;  ///< input rows of a row tile
  int64_t strip = 1;        ///< columns an interleaved strip serves
  int64_t columns = 1;      ///< of a register tile
  int64_t lanes = 1, vectors = 1;
  int64_t interleave = 1;  ///< channels interleaved at once

  int64_t width() const { return lanes * vectors; }
};

DotTile choose(const DepthwiseKernel& k) {
  DotTile t;
  const int64_t out_columns = k.out_shape[2];
  const DepthwiseRows rows = depthwise_rows(k);
  t.row_tile = rows.tile;
  t.needed_rows = rows.needed;
  t.row_groups = rows.groups;
  t.lanes = k.context.target.lanes(32);
  while (t.lanes > k.n())
    t.lanes /= 2;
  // Columns x rows of one vector of channels: interleaving wider vectors saves shuffles but costs registers (measured
  // on 112x112x96: 8x2x1 298 us, 4x2x2 355 us).
  const int64_t most = std::max<int64_t>(1, std::min<int64_t>(16, k.context.target.max_accumulators) / t.row_tile);
  int64_t least_work = std::numeric_limits<int64_t>::max();
  for (int64_t columns = 1; columns <= std::min(most, out_columns); columns++) {
    const int64_t work = (out_columns + columns - 1) / columns * (columns + 1);
    if (work > least_work) continue;
    least_work = work;
    t.columns = columns;
  }
  t.strip = out_columns <= 64 ? out_columns : t.columns * std::max<int64_t>(1, 56 / t.columns);
  t.interleave = t.width();
  return t;
}

}  // namespace

bool depthwise_dot_applies(const LoweringContext& c) {
  const auto& attrs = c.node.as<DepthwiseAttrs>();
  return c.target.vectorize && c.in(kRhs).shape().size() == 4 && c.in(kRhs).shape()[2] >= 4 &&
         attrs.windows[0].kernel >= 2 && depthwise_sums_apply(c) && depthwise_weight_bytes(DepthwiseKernel(c)) > 0;
}

bool depthwise_sums_apply(const LoweringContext& c) {
  const auto& attrs = c.node.as<DepthwiseAttrs>();
  if (attrs.accumulator != ValueType::kI32 || attrs.windows.size() != 2) return false;
  if (!byte_integer(c.in(kLhs).type.type) || !byte_integer(c.in(kRhs).type.type)) return false;
  const Tensor& rhs = c.in(kRhs);
  if (!rhs.is_constant() || rhs.shape().back() != 1) return false;
  if (c.has(kLhsZeroPoint) && (!c.in(kLhsZeroPoint).is_constant() || c.in(kLhsZeroPoint).data->size() != 1))
    return false;
  if (!c.has(kRhsZeroPoint)) return true;
  const Tensor& zp = c.in(kRhsZeroPoint);
  if (!zp.is_constant()) return false;
  const Shape& shape = zp.shape();
  for (size_t d = 0; d + 1 < shape.size(); d++) {
    if (shape[d] != 1) return false;
  }
  if (!shape.empty() && shape.back() != 1 && shape.back() != rhs.shape()[2]) return false;
  return true;
}

Result<NodeLowering> lower_depthwise_dot(const LoweringContext& c) {
  QL_ASSIGN(auto lanes, lower_depthwise_lanes(c));
  if (lanes) return std::move(*lanes);
  DepthwiseKernel k(c);
  const DotTile t = choose(k);
  const Window wy = k.attrs.windows[0], wx = k.attrs.windows[1];
  const int64_t C = k.channels, out_rows = k.out_shape[1], out_columns = k.out_shape[2];
  DepthwiseSums sums = depthwise_sums(k);
  const auto choice = sums.choose(k);
  const int64_t offset = sums.offset;

  // Weights [kx][byte][group][row of the tile][channel][4].
  const int bytes = depthwise_weight_bytes(k);
  const int64_t padded = (C + t.lanes - 1) / t.lanes * t.lanes;
  PackedConstant weights;
  weights.name = c.node.origin.name + ".weights";
  weights.type = ValueType::kI8;
  weights.shape = {wx.kernel, t.row_groups, t.row_tile, padded, 4};
  if (bytes > 1) weights.shape.insert(weights.shape.begin() + 1, bytes);
  weights.bytes.assign(static_cast<size_t>(element_count(weights.shape)), 0);
  weights.layout = std::string("[kx]") + (bytes > 1 ? "[byte]" : "") + "[row/4][tile row][" + std::to_string(padded) +
                   "][4 rows], zero where the window has no row" +
                   (bytes > 1 ? "; a weight is the sum of two bytes" : "");
  for (int64_t ch = 0; ch < C; ch++) {
    for (int64_t ky = 0; ky < wy.kernel; ky++) {
      for (int64_t kx = 0; kx < wx.kernel; kx++) {
        const int64_t value = depthwise_weight(k, ky, kx, ch);
        for (int64_t row = 0; row < t.row_tile; row++) {
          const int64_t r = ky + row;
          for (int byte = 0; byte < bytes; byte++) {
            const int64_t group = (kx * bytes + byte) * t.row_groups + r / 4;
            const int64_t at = ((group * t.row_tile + row) * padded + ch) * 4 + r % 4;
            weights.bytes[static_cast<size_t>(at)] = static_cast<uint8_t>(byte_of_weight(value, byte));
          }
        }
      }
    }
  }
  PackedConstant initial;
  initial.name = c.node.origin.name + ".initial";
  initial.type = ValueType::kI32;
  initial.shape = {C};
  initial.bytes.resize(sums.start.size() * 4);
  std::memcpy(initial.bytes.data(), sums.start.data(), initial.bytes.size());
  initial.layout = "[c]";

  Halide::ImageParam lhs = k.operands.tensor(c.node.inputs[kLhs], "lhs");
  Halide::ImageParam w = k.operands.constant(weights, 0, "weights");
  Halide::ImageParam init = k.operands.constant(initial, 1, "initial");
  k.lowering.constants = {weights, initial};

  Var n("n"), x("x"), y("y"), i("i"), row("row"), yt("yt"), r("r");
  // Interleaved rows of a row tile yt: [x][channel][4], one for each group.
  Func inter("inter"), sum("acc"), out("out");
  Var g("g");
  const bool grouped = t.row_groups > 1;
  {
    // Beyond the last needed row its weights are 0; the row itself is read again instead. The same at the end of the
    // image.
    Expr in_tile =
        grouped ? Halide::min(g * 4 + r, i32(t.needed_rows - 1)) : Halide::min(Expr(r), i32(t.needed_rows - 1));
    const int64_t step = t.row_tile == 1 ? wy.dilation : 1;
    Expr in_row = yt * i32(t.row_tile * wy.stride) + in_tile * i32(step);
    if (out_rows % t.row_tile != 0) in_row = Halide::min(in_row, i32(c.in(kLhs).shape()[1] - 1));
    Expr value = lhs(i * i32(k.lhs_strides[0]) + in_row * i32(k.lhs_strides[1]) + x * i32(k.lhs_strides[2]) + n);
    if (offset != 0) {
      value = Halide::reinterpret(Halide::UInt(8), value) ^ cast<uint8_t>(128);
      if (offset < 0) value = Halide::reinterpret(Halide::Int(8), value);
    }
    std::vector<Var> args = {r, n, x};
    if (grouped) args.push_back(g);
    args.insert(args.end(), {yt, i});
    inter(args) = value;
  }
  Halide::Region region = {{0, 4}};
  if (grouped) region.push_back({0, i32(t.row_groups)});
  if (bytes > 1) region.push_back({0, bytes});
  region.push_back({0, i32(wx.kernel)});
  RDom k_dom(region, "k");
  const RVar rj = k_dom[0], rg = grouped ? k_dom[1] : RVar(), rb = bytes > 1 ? k_dom[grouped ? 2 : 1] : RVar(),
             rx = k_dom[static_cast<int>(region.size()) - 1];
  const bool tiled = t.row_tile > 1;
  std::vector<Var> sum_args = {n, row, x, yt, i};
  std::vector<Expr> sum_at = {n, row, x, yt, i};
  sum(sum_args) = init(n);
  std::vector<Expr> inter_at = {rj, n, x * i32(wx.stride) + rx * i32(wx.dilation)};
  if (grouped) inter_at.push_back(rg);
  inter_at.insert(inter_at.end(), {yt, i});
  Expr packed_row = Expr(rx) * bytes + (bytes > 1 ? Expr(rb) : Expr(0));
  packed_row = packed_row * i32(t.row_groups) + (grouped ? Expr(rg) : Expr(0));
  Expr weight = w(((packed_row * i32(t.row_tile) + row) * i32(padded) + n) * 4 + rj);
  sum(sum_at) += cast<int32_t>(cast<int16_t>(inter(inter_at))) * cast<int32_t>(cast<int16_t>(weight));
  const auto rows = i32(t.row_tile);
  const Expr total = sum(n, tiled ? y % rows : 0, x, tiled ? y / rows : Expr(y), i);
  if (choice) {
    const RequantKernel requant(*choice, c.out().type.type, c.node.origin.name, t.lanes == 16, k.operands, k.lowering);
    k.epilogue_key = requant.key();
    out(n, x, y, i) = requant.apply(total, n);
  } else {
    QL_ASSIGN(const Expr result, k.epilogue(total, sums.added, sums.steps, {i, y, x, n}));
    k.epilogue_key = steps_key(sums.steps);
    out(n, x, y, i) = result;
  }

  k.epilogue_key += "," + std::to_string(bytes);

  const Var np("np"), nj("nj"), v("v"), lane("c"), xs("xs"), xj("xj"), xo("xo"), xi("xi"), yo("yo"), yi("yi");
  const auto tail = [](bool exact) { return exact ? TailStrategy::RoundUp : TailStrategy::ShiftInwards; };
  out.split(n, np, nj, i32(t.width()), tail(C % t.width() == 0));
  out.split(nj, v, lane, i32(t.lanes), TailStrategy::RoundUp).vectorize(lane);
  out.split(x, xs, xj, i32(t.strip), tail(out_columns % t.strip == 0));
  out.split(xj, xo, xi, i32(t.columns), tail(t.strip % t.columns == 0));
  out.split(y, yo, yi, rows, out_rows % t.row_tile == 0 ? TailStrategy::RoundUp : TailStrategy::GuardWithIf);
  out.reorder({lane, v, xi, yi, xo, xs, np, yo, i});
  out.fuse(yo, i, yo);
  sum.compute_at(out, xo).reorder_storage(n, x, row);
  // With an odd number of rows or channels Halide does not see that one tile is asked for at a time.
  sum.bound_extent(row, rows).bound_extent(yt, 1).bound_extent(i, 1);
  sum.split(n, v, lane, i32(t.lanes), TailStrategy::RoundUp).vectorize(lane).reorder({lane, v, row, x});
  auto update = sum.update();
  update.rename(rj, RVar("r"));
  update.rename(rx, RVar("kx"));
  if (grouped) update.rename(rg, RVar("g"));
  if (bytes > 1) update.rename(rb, RVar("byte"));
  update.split(n, v, lane, i32(t.lanes));
  std::vector<Halide::VarOrRVar> order = {RVar("r"), lane, v, row, x};
  if (grouped) order.push_back(RVar("g"));
  if (bytes > 1) order.push_back(RVar("byte"));
  order.push_back(RVar("kx"));
  update.reorder(order);
  update.atomic().vectorize(RVar("r")).vectorize(lane);
  const Var io("io"), ic("ic");
  // Storage beyond what counts as a register array (codegen/halide/register_arrays.h): its loops are not to be
  // unrolled.
  const int64_t read_columns = (t.strip - 1) * wx.stride + (wx.kernel - 1) * wx.dilation + 1;
  inter.compute_at(out, xs).bound(r, 0, 4).bound_storage(x, i32(std::max<int64_t>(read_columns, 33)));
  inter.bound_extent(yt, 1).bound_extent(i, 1);
  inter.split(n, io, ic, i32(t.interleave), TailStrategy::RoundUp).vectorize(ic).reorder({ic, r, io, x}).unroll(r);

  const std::vector<KernelDim> dims = {{i32(C), 1, 0},
                                       {i32(out_columns), i32(C), 0},
                                       {i32(out_rows), i32(C * out_columns), 0},
                                       {i32(k.out_shape[0]), i32(C * out_columns * out_rows), 0}};
  const int64_t row_extent = k.out_shape[0] * ((out_rows + t.row_tile - 1) / t.row_tile);
  return k.finish(out, dims, "yo", row_extent, "depthwise_dot",
                  std::to_string(t.columns) + "x" + std::to_string(t.row_tile) + "x" + std::to_string(t.vectors) + "x" +
                      std::to_string(t.lanes) + "_" + std::to_string(t.strip));
}

}  // namespace qlathe
