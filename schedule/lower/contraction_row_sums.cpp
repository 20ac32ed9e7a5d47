// The sums of lhs that a zero point of rhs asks for: sum a (w + f) = sum a w + sum a f. One number a row of the result,
// by the dot instruction with a vector of the factor f (or of ones, where a zero point of each channel is multiplied
// later).
#include <algorithm>

#include "schedule/lower/contraction_builder.h"

namespace qlathe {

using Halide::cast;
using Halide::Expr;
using Halide::RDom;
using Halide::RVar;
using Halide::Var;

void ContractionBuilder::define_row_sums() {
  std::vector<Var> args = row_variables();
  if (blocked()) args.push_back(block_);
  row_sums_(args) = 0;
  // A run of four steps fills a vector of 16 bytes.
  if (plan_.dot && c_.target.vectorize && reduction().run >= 4 * reduction().kr) return define_row_lanes(args);
  const Loops r = loops(1, 1, 1, "rs");
  const Expr value = cast<int32_t>(lhs_value(lhs_position(r.s, r.window, block_)));
  row_sums_(args) += plan_.row_factor ? value * int32_t{*plan_.row_factor} : value;
  for (const auto& [from, to] : r.names)
    row_sums_.update().rename(RVar(from), RVar(to));
}

void ContractionBuilder::define_row_lanes(const std::vector<Var>& args) {
  const int kr = reduction().kr;
  const int64_t run = reduction().run, most = c_.target.lanes(32), least = 4 * kr;
  // Whole vectors, wide ones first; what is left then is the end of one that overlaps the vector before it, with zeros
  // there.
  struct Part {
    int64_t lanes, first, steps, factor;
  };
  std::vector<Part> parts;
  int64_t summed = 0;
  for (int64_t lanes = most; lanes >= 4; lanes /= 2) {
    const int64_t steps = (run - summed) / (lanes * kr);
    if (steps > 0) parts.push_back({lanes, summed, steps, 0});
    summed += steps * lanes * kr;
  }
  if (summed < run) parts.push_back({4, run - least, 1, most * kr});
  PackedConstant constant;
  constant.name = name() + (plan_.row_factor ? ".row_factor" : ".ones");
  constant.type = ValueType::kI8;
  constant.shape = {most * kr + (summed < run ? least : 0)};
  constant.bytes.assign(static_cast<size_t>(constant.shape[0]), static_cast<uint8_t>(plan_.row_factor.value_or(1)));
  constant.layout = "[lane][" + std::to_string(kr) + "]";
  if (summed < run) {
    std::fill_n(constant.bytes.begin() + most * kr, least - (run - summed), uint8_t{0});
    constant.layout += ", then the lanes of the last " + std::to_string(run - summed) + " elements";
  }
  const int index = static_cast<int>(lowering_.constants.size());
  lowering_.constants.push_back(constant);
  const Halide::ImageParam factors = operands_.constant(constant, index, plan_.row_factor ? "row_factor" : "ones");
  const size_t windows = reduction().window.size();
  for (const auto& [lanes, first, steps, factor] : parts) {
    Halide::Region region = {{0, kr}, {0, i32(steps)}};
    for (size_t a = windows; a-- > 0;)
      region.push_back({0, i32(reduction().window[a].extent)});
    const RDom r(region, "rl");
    std::vector<Expr> window;
    for (size_t a = 0; a < windows; a++)
      window.emplace_back(r[static_cast<int>(1 + windows - a)]);
    RowLanes part{Halide::Func("row_lanes"), Var("lane"), r[0], RVar()};
    const Expr element = part.lane * kr + r[0];
    const Expr position = lhs_position(r[1] * i32(lanes * kr) + i32(first) + element, window, block_);
    std::vector<Var> at = args;
    at.insert(at.begin(), part.lane);
    const auto word = [](const Expr& value) { return cast<int32_t>(cast<int16_t>(value)); };
    part.sums(at) = 0;
    part.sums(at) += word(lhs_value(position)) * word(factors(element + i32(factor)));
    auto update = part.sums.update();
    update.rename(r[1], RVar("k"));
    for (size_t a = 0; a < windows; a++)
      update.rename(r[static_cast<int>(1 + windows - a)], RVar(reduction().window[a].name));
    const RDom total(0, i32(lanes), "lanes");
    part.total = total.x;
    std::vector<Expr> here(at.begin(), at.end());
    here[0] = total.x;
    row_sums_(args) += part.sums(here);
    part.sums.bound(part.lane, 0, i32(lanes));
    row_lanes_.push_back(part);
  }
}

void ContractionBuilder::schedule_row_sums(const Var& xo, const Var& x) {
  row_sums_.compute_at(out_, xo);
  for (size_t i = 0; i < row_lanes_.size(); i++) {
    RowLanes& part = row_lanes_[i];
    row_sums_.update(static_cast<int>(i)).atomic().vectorize(part.total);
    part.sums.compute_at(row_sums_, x).vectorize(part.lane);
    part.sums.update().atomic().vectorize(part.j).vectorize(part.lane);
  }
}

}  // namespace qlathe
