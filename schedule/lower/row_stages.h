#pragma once
/// Reductions along the elements of one row: sums in the two stated orders, and folds whose order does not matter. Only
/// .cpp files that build pipelines include this.
#include <Halide.h>

#include <functional>
#include <string>
#include <vector>

#include "frontend/ir/tensor.h"
#include "frontend/ops/enums.h"
#include "schedule/target.h"

namespace qlathe {

/// What is computed once per row before its results. Every stage has the row's coordinates as its last arguments.
class RowStages {
 public:
  using Term = std::function<Halide::Expr(Halide::Expr sum, Halide::Expr i)>;
  using Combine = std::function<Halide::Expr(Halide::Expr, Halide::Expr)>;

  /// `row`: the coordinates of a row, innermost first, as Halide orders arguments.
  RowStages(const Target& target, std::vector<Halide::Var> row) : target_(target), row_(std::move(row)) {}

  /// Sum of n float32 terms from +0 as numerics/sum.h orders them; term(sum, i) adds element i.
  Halide::Expr sum(SumOrder order, int64_t n, const std::string& name, const Term& term);
  /// One accumulator, index ascending, from `init`. Where `only_if` is defined and false it stays `init`.
  Halide::Expr fold(const Halide::Expr& init, int64_t n, const std::string& name, const Term& term,
                    const Halide::Expr& only_if = Halide::Expr());
  /// A fold that may be done in any order, each element at least once (`idempotent`) or exactly once. Vectorized.
  Halide::Expr fold_any_order(const Halide::Expr& init, int64_t n, const std::string& name, bool idempotent,
                              const Term& term, const Combine& combine);
  /// value(i) for i < n, kept in memory; read it as (*this)(i).
  std::function<Halide::Expr(Halide::Expr)> buffer(int64_t n, const std::string& name,
                                                   const std::function<Halide::Expr(Halide::Expr)>& value);
  /// A number computed once.
  Halide::Expr once(const std::string& name, const Halide::Expr& value);

  /// All stages inside loop `at` of `out`.
  void compute_at(Halide::Func out, const Halide::Var& at);

 private:
  std::vector<Halide::Expr> at(const Halide::Expr& j) const;
  std::vector<Halide::Expr> at() const { return {row_.begin(), row_.end()}; }
  std::vector<Halide::Var> vars(const Halide::Var& j) const;
  int lanes(int bits) const { return target_.vectorize ? target_.lanes(bits) : 1; }

  const Target& target_;
  std::vector<Halide::Var> row_;
  std::vector<Halide::Func> stages_;
};

/// Row-major index `i` of a shape as one coordinate per axis.
std::vector<Halide::Expr> split_index(const Halide::Expr& i, const Shape& extents);

}  // namespace qlathe
