// The loops of a contraction: rows that may be shared out, tiles of channels and columns, the reduction.
#include <algorithm>

#include "schedule/lower/contraction_builder.h"

namespace qlathe {

using Halide::Func;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

void ContractionBuilder::schedule() {
  const Var np("np"), nj("nj"), v("v"), lane("c"), row("row");
  const Var x = row_vars_.back(), xo(x.name() + "o"), xi(x.name() + "i");
  const ContractionTile& t = tile();
  const bool vectors = t.lanes > 1;
  const int64_t x_extent = shape().rows.back().extent;
  const auto tail = [](bool exact) { return exact ? TailStrategy::RoundUp : TailStrategy::ShiftInwards; };

  out_.split(n_, np, nj, i32(t.width()), tail(t.chunk % t.width() == 0));
  out_.split(x, xo, xi, t.rows, tail(x_extent % t.rows == 0));
  std::vector<Halide::VarOrRVar> order;
  if (vectors) {
    out_.split(nj, v, lane, t.lanes, TailStrategy::RoundUp).vectorize(lane);
    order = {lane, v};
  } else {
    order = {nj};
  }
  const Var streams("dt"), stream_groups("dg");
  if (t.streams > 1) {
    if (t.streams < t.chunks) out_.split(d_, stream_groups, streams, t.streams, TailStrategy::RoundUp);
    order.emplace_back(t.streams < t.chunks ? streams : d_);
  }
  order.insert(order.end(), {xi, xo, np});
  // Everything else is one loop whose iterations may be shared out: rows innermost, then channels, groups, batches.
  std::vector<Var> outer;
  for (size_t i = row_vars_.size() - 1; i-- > 0;) {
    if (shape().rows[i].rhs_stride == 0) outer.push_back(row_vars_[i]);
  }
  const int64_t inside = chunks_inside();
  if (t.streams > 1) {
    if (t.streams < t.chunks) outer.push_back(stream_groups);
  } else if (inside > 1 && inside < t.chunks) {
    const Var shared("ds"), own("di");
    out_.split(d_, shared, own, i32(inside), TailStrategy::RoundUp);
    order.emplace_back(own);
    outer.push_back(shared);
  } else if (inside > 1) {
    order.emplace_back(d_);
  } else if (t.chunks > 1) {
    outer.push_back(d_);
  }
  if (shape().groups_n > 1) outer.push_back(g_);
  for (size_t i = row_vars_.size() - 1; i-- > 0;) {
    if (shape().rows[i].rhs_stride != 0) outer.push_back(row_vars_[i]);
  }
  for (const Var& var : outer)
    order.push_back(var);
  out_.reorder(order);
  row_extent_ = shape().groups_n * (t.chunks / (inside * t.streams));
  for (size_t i = 0; i + 1 < shape().rows.size(); i++)
    row_extent_ *= shape().rows[i].extent;
  if (!outer.empty()) {
    Var fused = outer[0];
    for (size_t i = 1; i < outer.size(); i++) {
      Var next(i + 1 == outer.size() ? "row" : "f" + std::to_string(i));
      out_.fuse(fused, outer[i], next);
      fused = next;
    }
    row_loop_ = fused.name();
  }

  Func& sum = accumulator_;
  const Var sn("m"), sv("v"), sc("c");
  const auto vectorize_channels = [&](Func& f) {
    if (!vectors) return;
    f.split(n_, sv, sc, t.lanes, TailStrategy::RoundUp).vectorize(sc);
  };
  const Var sx = x;
  if (blocked()) {
    blocks_.compute_at(out_, xo);
    vectorize_channels(blocks_);
    blocks_.reorder(vectors ? std::vector<Halide::VarOrRVar>{sc, sv, sx} : std::vector<Halide::VarOrRVar>{n_, sx});
    auto update = blocks_.update();
    const RVar b(block_loop_);
    if (vectors) {
      update.split(n_, sv, sc, t.lanes).vectorize(sc);
      update.reorder({sc, sv, sx, b});
    } else {
      update.reorder({n_, sx, b});
    }
    blocks_.bound_extent(n_, i32(t.width()));
    sum.compute_at(blocks_, b);
  } else {
    sum.compute_at(out_, xo);
  }
  if (plan_.interleaved) return schedule_interleaved(x);
  vectorize_channels(sum);
  sum.reorder(vectors ? std::vector<Halide::VarOrRVar>{sc, sv, sx} : std::vector<Halide::VarOrRVar>{n_, sx});
  auto update = sum.update();
  std::vector<Halide::VarOrRVar> inner;
  if (reduction().kr > 1) inner.push_back(RVar("j"));
  if (vectors) {
    update.split(n_, sv, sc, t.lanes);
    inner.insert(inner.end(), {sc, sv});
  } else {
    inner.emplace_back(n_);
  }
  if (t.streams > 1) inner.emplace_back(d_);
  inner.emplace_back(sx);
  const std::string twice = plan_.dot && !vectors ? unroll_steps() : "";
  if (!twice.empty()) {
    update.split(RVar(twice), RVar(twice), RVar("pair"), 2);
    inner.emplace_back(RVar("pair"));
  }
  for (const auto& [from, to] : reduce_.names) {
    if (to != "j") inner.push_back(RVar(to));
  }
  update.reorder(inner);
  if (reduction().kr > 1) update.atomic().vectorize(RVar("j"));
  if (vectors) update.vectorize(sc);

  if (decodes_weights()) {
    decoded_.compute_at(sum, RVar("k"));
    const int width = t.lanes * reduction().kr;
    if (vectors) {
      const Var qo("qo"), qi("qi");
      decoded_.split(q_, qo, qi, width, TailStrategy::RoundUp).vectorize(qi);
    }
  }
  if (plan_.by_lane) registers_.compute_at(sum, RVar("k")).bound(b_, 0, 16).vectorize(b_);
  if (stages_lhs()) schedule_staged(xo);
  if (plan_.row_sums) schedule_row_sums(xo, sx);
}

std::string ContractionBuilder::unroll_steps() {
  for (const auto& [from, to] : reduce_.names) {
    int64_t extent = to == "k" ? reduction().steps() : 1;
    for (const ReductionAxis& axis : reduction().window)
      extent = axis.name == to ? axis.extent : extent;
    if (extent == 1 || to == "j") continue;
    const bool twice = extent > 3 && extent % 2 == 0;
    if (twice || extent <= 3) unrolled_.push_back({accumulator_.name(), twice ? "pair" : to});
    return twice ? to : "";
  }
  return "";
}

void ContractionBuilder::schedule_interleaved(const Var& x) {
  const Var v("v"), lane("c");
  auto update = accumulator_.update();
  if (tile().lanes > 1) {
    accumulator_.split(n_, v, lane, tile().lanes, TailStrategy::RoundUp).vectorize(lane).reorder({lane, v, x, l_});
    update.split(n_, v, lane, tile().lanes).vectorize(lane).reorder({lane, v, x, l_, RVar("k")});
  } else if (c_.target.vectorize) {
    // Too few channels for a vector: the partial sums fill one.
    const int lanes = std::min(16, c_.target.lanes(32));
    accumulator_.reorder_storage({l_, n_, x}).split(l_, v, lane, lanes).vectorize(lane).reorder({lane, v, n_, x});
    update.split(l_, v, lane, lanes).vectorize(lane).reorder({lane, v, n_, x, RVar("k")});
  } else {
    update.reorder({n_, x, l_, RVar("k")});
  }
}

int64_t ContractionBuilder::chunks_inside() const {
  if (!plan_.widen || tile().streams > 1) return 1;
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < shape().rows.size(); i++)
    rows *= shape().rows[i].rhs_stride == 0 ? shape().rows[i].extent : 1;
  // Widening for a single tile of channels costs a sixth of its multiplications; sixteen iterations are enough to
  // share.
  for (int64_t inside = tile().chunks; inside > 1; inside--) {
    if (tile().chunks % inside == 0 && rows * (tile().chunks / inside) >= 16) return inside;
  }
  return 1;
}

void ContractionBuilder::schedule_staged(const Var& xo) {
  int64_t extent = reduction().run * (reduction().blocks);
  const RowAxis& axis = shape().rows.back();
  const bool windowed = !shape().window.empty();
  extent += ((windowed ? axis.extent : tile().rows) - 1) * axis.lhs_stride;
  for (const ReductionAxis& w : shape().window)
    extent += (w.extent - 1) * w.lhs_stride;
  // Words are made for all columns and channels at once; while they stay in the second cache.
  const int64_t whole = extent + (windowed ? 0 : (axis.extent - tile().rows) * axis.lhs_stride);
  const bool for_row = windowed || (plan_.widen && whole <= 65536);
  if (for_row) extent = whole;
  if (for_row && !row_loop_.empty())
    staged_.compute_at(out_, Var(row_loop_));
  else if (for_row)
    staged_.compute_root();
  else
    staged_.compute_at(out_, xo);
  int64_t lanes = 1;
  if (c_.target.vectorize) {
    lanes = c_.target.lanes(plan_.widen ? 16 : 8);
    while (lanes > extent)
      lanes /= 2;
    const Var pv("pv"), pi("pi");
    staged_.split(staged_.args()[0], pv, pi, i32(lanes), TailStrategy::ShiftInwards).vectorize(pi);
  }
  // Storage beyond what counts as a register array (codegen/halide/register_arrays.h): the reduction is not to be
  // unrolled.
  staged_.bound_storage(staged_.args()[0], i32(std::max(extent, 33 * lanes)));
}

}  // namespace qlathe
