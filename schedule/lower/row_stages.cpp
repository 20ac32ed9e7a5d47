#include "schedule/lower/row_stages.h"

#include <algorithm>

#include "frontend/numerics/sum.h"
#include "schedule/lower/iteration.h"

namespace qlathe {

using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::RVar;
using Halide::Var;

std::vector<Expr> RowStages::at(const Expr& j) const {
  std::vector<Expr> out = {j};
  out.insert(out.end(), row_.begin(), row_.end());
  return out;
}

std::vector<Var> RowStages::vars(const Var& j) const {
  std::vector<Var> out = {j};
  out.insert(out.end(), row_.begin(), row_.end());
  return out;
}

Expr RowStages::sum(SumOrder order, int64_t n, const std::string& name, const Term& term) {
  const Expr zero = Halide::Internal::FloatImm::make(Halide::Float(32), 0);
  if (order == SumOrder::kSequential) return fold(zero, n, name, term);
  constexpr int kPartials = kInterleavedPartials;
  const auto blocks = static_cast<int32_t>(n / kPartials), rest = static_cast<int32_t>(n % kPartials);
  const Var j("lane");
  const int vector = std::min(kPartials, lanes(32));
  Func partials(name);
  partials(vars(j)) = zero;
  partials.bound(j, 0, kPartials);
  if (vector > 1) partials.vectorize(j, vector);
  if (blocks > 0) {
    const RDom r(0, blocks, name + "_block");
    partials(vars(j)) = term(partials(vars(j)), r * kPartials + j);
    Halide::Stage update = partials.update();
    update.rename(r.x, RVar("b"));
    if (vector < kPartials && vector > 1) {
      const Var v("v");
      update.split(j, j, v, vector, Halide::TailStrategy::RoundUp).reorder(v, j, RVar("b")).vectorize(v);
    } else {
      update.reorder(j, RVar("b"));
      if (vector > 1) update.vectorize(j);
    }
  }
  stages_.push_back(partials);
  if (rest > 0) {
    // A stage of its own, so that the loop above keeps its partials in registers.
    Func all(name + "_all");
    all(vars(j)) = partials(vars(j));
    all.bound(j, 0, kPartials);
    if (vector > 1) all.vectorize(j, vector);
    const RDom r(0, rest, name + "_rest");
    all(at(r.x)) = term(all(at(r.x)), r + blocks * kPartials);
    all.update().rename(r.x, RVar("e"));
    stages_.push_back(all);
    partials = all;
  }
  std::vector<Expr> p;
  for (int i = 0; i < kPartials; i++)
    p.push_back(partials(at(i)));
  for (size_t half = kPartials / 2; half > 0; half /= 2) {
    for (size_t i = 0; i < half; i++)
      p[i] = p[i] + p[i + half];
  }
  return once(name + "_total", p[0]);
}

Expr RowStages::fold(const Expr& init, int64_t n, const std::string& name, const Term& term, const Expr& only_if) {
  if (n == 1) {
    const Expr only = term(init, 0);
    return once(name, only_if.defined() ? Halide::select(only_if, only, init) : only);
  }
  Func total(name);
  if (row_.empty())
    total() = init;
  else
    total(row_) = init;
  if (n > 0) {
    RDom r(0, static_cast<int32_t>(n), name + "_index");
    if (only_if.defined()) r.where(only_if);
    if (row_.empty())
      total() = term(total(), r.x);
    else
      total(row_) = term(total(at()), r.x);
    total.update().rename(r.x, RVar("e"));
  }
  stages_.push_back(total);
  return row_.empty() ? Expr(total()) : Expr(total(at()));
}

Expr RowStages::fold_any_order(const Expr& init, int64_t n, const std::string& name, bool idempotent, const Term& term,
                               const Combine& combine) {
  int width = vector_lanes(lanes(init.type().bits()), n);
  if (width < 4) return fold(init, n, name, term);
  const Var j("lane");
  const bool overlap = idempotent && n % width != 0;
  const auto blocks = static_cast<int32_t>((n + (overlap ? width - 1 : 0)) / width);
  const auto rest = overlap ? 0 : static_cast<int32_t>(n % width);
  Func lanes_func(name);
  lanes_func(vars(j)) = init;
  lanes_func.bound(j, 0, width).vectorize(j);
  {
    const RDom r(0, blocks, name + "_block");
    // The last block of an idempotent fold reaches back into the one before it.
    const Expr first = overlap ? Halide::min(r * width, static_cast<int32_t>(n) - width) : Expr(r * width);
    lanes_func(vars(j)) = term(lanes_func(vars(j)), first + j);
    lanes_func.update().rename(r.x, RVar("b")).reorder(j, RVar("b")).vectorize(j);
  }
  stages_.push_back(lanes_func);
  Func last = lanes_func;
  while (width > 4) {
    width /= 2;
    Func half(name + "_" + std::to_string(width));
    half(vars(j)) = combine(last(at(j)), last(at(j + width)));
    half.bound(j, 0, width).vectorize(j);
    stages_.push_back(half);
    last = half;
  }
  Expr total = combine(combine(last(at(0)), last(at(2))), combine(last(at(1)), last(at(3))));
  if (rest == 0) return once(name + "_total", total);
  return fold(total, rest, name + "_total",
              [&](Expr sum, Expr i) { return term(sum, i + static_cast<int32_t>(n - rest)); });
}

std::function<Expr(Expr)> RowStages::buffer(int64_t n, const std::string& name,
                                            const std::function<Expr(Expr)>& value) {
  const Var j("lane");
  Func stored(name);
  const Expr e = value(j);
  stored(vars(j)) = e;
  stored.bound(j, 0, static_cast<int32_t>(n));
  const int width = vector_lanes(lanes(32), n);
  if (width > 1) {
    stored.vectorize(j, width, n % width == 0 ? Halide::TailStrategy::RoundUp : Halide::TailStrategy::ShiftInwards);
  }
  stages_.push_back(stored);
  return [this, stored](Expr i) { return Expr(stored(at(i))); };
}

Expr RowStages::once(const std::string& name, const Expr& value) {
  Func total(name);
  if (row_.empty())
    total() = value;
  else
    total(row_) = value;
  stages_.push_back(total);
  return row_.empty() ? Expr(total()) : Expr(total(at()));
}

void RowStages::compute_at(Func out, const Var& loop) {
  for (Func& stage : stages_)
    stage.compute_at(out, loop);
}

std::vector<Expr> split_index(const Expr& i, const Shape& extents) {
  std::vector<Expr> out(extents.size(), 0);
  size_t outermost = 0;
  while (outermost < extents.size() && extents[outermost] == 1)
    outermost++;
  int64_t below = 1;
  for (size_t d = extents.size(); d-- > outermost;) {
    if (extents[d] == 1) continue;
    Expr e = below == 1 ? i : i / static_cast<int32_t>(below);
    if (d != outermost) e = e % static_cast<int32_t>(extents[d]);
    out[d] = e;
    below *= extents[d];
  }
  return out;
}

}  // namespace qlathe
