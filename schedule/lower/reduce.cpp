// reduce: axes of one kind, kept or reduced, that lie side by side are merged. Where the last axis is kept, it is
// vectorized and every result is folded in order. Where it is reduced, a row is folded by vectors: integers in any
// order, interleaved sums as stated, float maxima by integer keys (see row_extreme); sequential float sums stay one
// chain a result, several results at a time.
#include <algorithm>
#include <limits>
#include <memory>

#include "frontend/numerics/sum.h"
#include "frontend/ops/reduction.h"
#include "schedule/halide_algebra.h"
#include "schedule/lower/iteration.h"
#include "schedule/lower/operands.h"
#include "schedule/lower/row_stages.h"
#include "schedule/lower/rows.h"

namespace qlathe {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::RVar;
using Halide::select;
using Halide::TailStrategy;
using Halide::Var;
using A = HalideAlgebra;

/// How one kind of reduction folds. `init` is chosen so that folding from it has the bits of folding from the first
/// element where the reference does that.
struct Fold {
  Expr init;
  bool idempotent = false;
  std::function<Expr(Expr folded, Expr element)> step;  ///< element as `prepare` gives it
  std::function<Expr(const FlightValue& loaded)> prepare;
  std::function<Expr(Expr)> finish;         ///< to the type of the result
  std::function<Expr(Expr, Expr)> combine;  ///< integers: of two parts, in any order
};

Fold float_fold(ReduceKind kind) {
  Fold f;
  f.prepare = [](const FlightValue& v) { return to_float(v).expr; };
  f.finish = [](const Expr& e) { return e; };
  const float infinity = std::numeric_limits<float>::infinity();
  switch (kind) {
    case ReduceKind::kSum:
      f.init = A::f32(0);
      f.step = [](Expr sum, Expr x) { return sum + x; };
      break;
    case ReduceKind::kSumSquares:
      f.init = A::f32(0);
      f.step = [](Expr sum, Expr x) { return A::fma(x, x, sum); };
      break;
    case ReduceKind::kProduct:
      f.init = A::f32(1);
      f.step = [](Expr product, Expr x) { return product * x; };
      break;
    case ReduceKind::kAbsMax:
      f.init = A::f32(0);
      f.prepare = [](const FlightValue& v) { return A::from_bits(A::bits(to_float(v).expr) & A::i32(0x7fffffff)); };
      f.step = [](Expr max, Expr x) { return select(max > x, max, x); };
      break;
    case ReduceKind::kMax:
      f.init = A::f32(-infinity);
      f.step = [](Expr max, Expr x) { return select(max > x, max, x); };
      break;
    case ReduceKind::kMin:
      f.init = A::f32(infinity);
      f.step = [](Expr min, Expr x) { return select(min < x, min, x); };
      break;
  }
  return f;
}

/// Sums and products wrap: unsigned.
Fold integer_fold(ReduceKind kind, ValueType type) {
  Fold f;
  const Halide::Type own = flight_type(type);
  f.prepare = [](const FlightValue& v) {
    return Halide::cast<uint32_t>(Halide::cast(v.expr.type().with_bits(32), v.expr));
  };
  f.finish = [](const Expr& e) { return Halide::reinterpret<int32_t>(e); };
  const Expr zero = Halide::Internal::UIntImm::make(Halide::UInt(32), 0);
  switch (kind) {
    case ReduceKind::kSum:
      f.init = zero;
      f.step = f.combine = [](Expr a, Expr b) { return a + b; };
      break;
    case ReduceKind::kSumSquares:
      f.init = zero;
      f.step = [](Expr sum, Expr x) { return sum + x * x; };
      f.combine = [](Expr a, Expr b) { return a + b; };
      break;
    case ReduceKind::kProduct:
      f.init = Halide::Internal::UIntImm::make(Halide::UInt(32), 1);
      f.step = f.combine = [](Expr a, Expr b) { return a * b; };
      break;
    case ReduceKind::kAbsMax:
      f.idempotent = true;
      f.init = Halide::Internal::make_zero(own.with_code(halide_type_uint));
      f.prepare = [](const FlightValue& v) { return v.expr.type().is_uint() ? v.expr : Halide::abs(v.expr); };
      f.step = f.combine = [](Expr a, Expr b) { return Halide::max(a, b); };
      f.finish = [](const Expr& e) { return Halide::reinterpret<int32_t>(Halide::cast<uint32_t>(e)); };
      break;
    case ReduceKind::kMax:
    case ReduceKind::kMin:
      f.idempotent = true;
      f.init = kind == ReduceKind::kMax ? own.min() : own.max();
      f.prepare = [](const FlightValue& v) { return v.expr; };
      f.finish = [](const Expr& e) { return e; };
      f.step = f.combine = [kind](Expr a, Expr b) {
        return kind == ReduceKind::kMax ? Halide::max(a, b) : Halide::min(a, b);
      };
      break;
  }
  return f;
}

struct MergedAxis {
  int64_t extent;
  bool reduced;
};

class ReduceKernel {
 public:
  explicit ReduceKernel(const LoweringContext& context)
      : context_(context),
        attrs_(context.node.as<ReduceAttrs>()),
        type_(context.in(0).type.type),
        float_(!is_integer(type_)),
        fold_(float_ ? float_fold(attrs_.kind) : integer_fold(attrs_.kind, type_)),
        bindings_(context) {}

  Result<NodeLowering> lower() {
    merge();
    if (count_ > 0) {
      Shape extents;
      for (const MergedAxis& axis : axes_)
        extents.push_back(axis.extent);
      x_ = bindings_.tensor(context_.node.inputs[0], "x", extents);
    }
    const bool columns = count_ > 0 && !axes_.back().reduced;
    for (size_t k = 0; k < kept_.size(); k++)
      vars_.emplace_back(kept_.size() == 1 ? "i" : std::string(1, static_cast<char>('i' + k)));
    operands_ = std::make_unique<StepBindings>(context_, bindings_, attrs_.steps, context_.out().shape());
    return columns ? lower_columns() : lower_rows();
  }

 private:
  void merge() {
    const Shape& shape = context_.in(0).shape();
    for (size_t d = 0; d < shape.size(); d++) {
      const bool reduced = std::count(attrs_.axes.begin(), attrs_.axes.end(), static_cast<int64_t>(d)) > 0;
      if (reduced) count_ *= shape[d];
      if (shape[d] == 1) continue;
      if (!axes_.empty() && axes_.back().reduced == reduced)
        axes_.back().extent *= shape[d];
      else
        axes_.push_back({shape[d], reduced});
    }
    if (axes_.empty()) axes_.push_back({1, true});
    for (const MergedAxis& axis : axes_)
      (axis.reduced ? reduced_ : kept_).push_back(axis.extent);
    if (reduced_.empty()) {
      axes_.insert(axes_.begin(), {1, true});
      reduced_.push_back(1);
    }
    if (kept_.empty()) {
      axes_.insert(axes_.begin(), {1, false});
      kept_.push_back(1);
    }
  }

  /// The element at these coordinates of the kept and the reduced axes, outermost first.
  Expr element(const std::vector<Expr>& kept, const std::vector<Expr>& reduced) const {
    std::vector<Expr> index;
    size_t k = kept.size(), r = reduced.size();
    for (size_t d = axes_.size(); d-- > 0;)
      index.push_back(axes_[d].reduced ? reduced[--r] : kept[--k]);
    return fold_.prepare(load_value(type_, x_(index)));
  }
  Expr element_at(const std::vector<Expr>& kept, const Expr& i) const {
    return element(kept, split_index(i, reduced_));
  }

  std::vector<Expr> kept_vars() const { return as_expressions(vars_); }

  Result<Expr> stored(const Expr& folded) const {
    // Coordinates of the result: each merged axis is split again.
    std::vector<Expr> coordinates;
    const Shape& shape = context_.in(0).shape();
    size_t merged = 0;
    for (size_t d = 0; d < shape.size();) {
      const auto is_reduced = [&](size_t axis) {
        return std::count(attrs_.axes.begin(), attrs_.axes.end(), static_cast<int64_t>(axis)) > 0;
      };
      if (is_reduced(d)) {
        if (attrs_.keep_dims) coordinates.push_back(0);
        d++;
        continue;
      }
      // The kept axes up to the next reduced one that is longer than 1; reduced ones of extent 1 lie between them.
      std::vector<size_t> positions;
      Shape group;
      for (; d < shape.size() && (!is_reduced(d) || shape[d] == 1); d++) {
        if (!is_reduced(d)) {
          positions.push_back(coordinates.size());
          group.push_back(shape[d]);
          coordinates.push_back(0);
        } else if (attrs_.keep_dims) {
          coordinates.push_back(0);
        }
      }
      if (element_count(group) == 1) continue;
      const std::vector<Expr> split = split_index(vars_[merged++], group);
      for (size_t g = 0; g < group.size(); g++)
        coordinates[positions[g]] = split[g];
    }
    const ValueType type = float_ ? (keeps_type() ? type_ : ValueType::kF32) : (keeps_type() ? type_ : ValueType::kI32);
    FlightValue value{fold_.finish(folded), type};
    if (is_integer(type))
      value.bound = std::max(-static_cast<double>(info(type).min), static_cast<double>(info(type).max));
    QL_ASSIGN(const FlightValue result, apply_steps(value, attrs_.steps, operands_->at(coordinates)));
    return store_value(result);
  }
  bool keeps_type() const { return attrs_.kind == ReduceKind::kMax || attrs_.kind == ReduceKind::kMin; }
  bool interleaved() const {
    return float_ && attrs_.sum_order == SumOrder::kInterleaved16 &&
           (attrs_.kind == ReduceKind::kSum || attrs_.kind == ReduceKind::kSumSquares);
  }

  /// The last axis is kept: vectors of results.
  Result<NodeLowering> lower_columns() {
    const int64_t inner = kept_.back();
    Func acc("acc");
    const std::vector<Var> args = innermost_first(vars_);
    Expr folded;
    std::vector<Func> stages;
    std::vector<RVar> loops;
    if (interleaved()) {
      // acc[j] takes the elements j, j + 16, ...
      const Var j("lane");
      std::vector<Var> with_j = args;
      with_j.push_back(j);
      const auto at = [&](const Expr& partial) {
        std::vector<Expr> index(args.begin(), args.end());
        index.push_back(partial);
        return index;
      };
      acc(with_j) = fold_.init;
      acc.bound(j, 0, kInterleavedPartials);
      const auto blocks = static_cast<int32_t>(count_ / kInterleavedPartials);
      const auto rest = static_cast<int32_t>(count_ % kInterleavedPartials);
      if (blocks > 0) {
        const RDom r(0, kInterleavedPartials, 0, blocks, "r");
        acc(at(r.x)) = fold_.step(acc(at(r.x)), element_at(kept_vars(), r.y * kInterleavedPartials + r.x));
        acc.update(0).rename(r.x, RVar("p")).rename(r.y, RVar("b"));
      }
      if (rest > 0) {
        const RDom r(0, rest, "t");
        acc(at(r.x)) = fold_.step(acc(at(r.x)), element_at(kept_vars(), blocks * kInterleavedPartials + r.x));
        acc.update(blocks > 0 ? 1 : 0).rename(r.x, RVar("p"));
      }
      std::vector<Expr> p;
      for (int i = 0; i < kInterleavedPartials; i++)
        p.push_back(acc(at(i)));
      for (size_t half = kInterleavedPartials / 2; half > 0; half /= 2) {
        for (size_t i = 0; i < half; i++)
          p[i] = p[i] + p[i + half];
      }
      folded = p[0];
    } else {
      acc(args) = fold_.init;
      Halide::Region ranges;
      for (size_t d = reduced_.size(); d-- > 0;)
        ranges.emplace_back(Expr(0), Expr(static_cast<int32_t>(reduced_[d])));
      const RDom r(ranges, "r");
      std::vector<Expr> reduced;
      for (size_t d = reduced_.size(); d-- > 0;)
        reduced.emplace_back(r[static_cast<int>(d)]);
      // `reduced` is outermost first, r is innermost first.
      acc(args) = fold_.step(acc(args), element(kept_vars(), reduced));
      for (int d = 0; d < r.dimensions(); d++) {
        loops.emplace_back(std::string("r") + static_cast<char>('a' + (r.dimensions() - 1 - d)));
        acc.update().rename(r[d], loops.back());
      }
      folded = acc(args);
    }
    Func out("out");
    QL_ASSIGN(const Expr result, stored(folded));
    out(args) = result;

    auto pipeline = std::make_shared<KernelPipeline>();
    LoweredCall call;
    const int bits = std::max(widest_bits(result), fold_.init.type().bits());
    const int lanes = vector_lanes(context_.target.vectorize ? context_.target.lanes(bits) : 1, inner);
    // Several vectors a block, where their accumulators fit the registers.
    int64_t vectors = 1;
    while (!interleaved() && vectors < 4 && inner >= 2 * vectors * lanes)
      vectors *= 2;
    const int64_t block = vectors * lanes;
    const Var v("v"), w("w"), chunk("chunk");
    const Var& last = vars_.back();
    const bool exact = inner % block == 0;
    const TailStrategy tail = exact ? TailStrategy::RoundUp : TailStrategy::ShiftInwards;
    out.split(last, chunk, w, static_cast<int32_t>(block), tail);
    if (lanes > 1) out.split(w, w, v, lanes, TailStrategy::RoundUp).vectorize(v);
    acc.compute_at(out, chunk);
    const auto schedule = [&](Halide::Stage stage, const std::vector<RVar>& outer) {
      std::vector<Halide::VarOrRVar> order;
      if (lanes > 1) {
        stage.split(last, w, v, lanes, TailStrategy::RoundUp).vectorize(v);
        order = {v, w};
      } else {
        order = {last};
      }
      for (const RVar& r : outer)
        order.emplace_back(r);
      stage.reorder(order);
    };
    if (interleaved()) {
      const int updates = acc.num_update_definitions();
      if (lanes > 1) acc.vectorize(last, lanes, TailStrategy::RoundUp);
      const bool blocks = count_ >= kInterleavedPartials;
      for (int u = 0; u < updates; u++)
        schedule(acc.update(u),
                 u == 0 && blocks ? std::vector<RVar>{RVar("p"), RVar("b")} : std::vector<RVar>{RVar("p")});
    } else {
      if (lanes > 1) acc.vectorize(last, lanes, TailStrategy::RoundUp);
      schedule(acc.update(), loops);
    }
    int64_t rows = 1;
    if (kept_.size() > 1) {
      Var row = vars_[0];
      rows = kept_[0];
      for (size_t k = 1; k + 1 < kept_.size() && rows < 32; k++) {
        const Var fused("row");
        out.fuse(vars_[k], row, fused);
        row = fused;
        rows *= kept_[k];
      }
      pipeline->row_loop = row.name();
    } else if (exact) {
      rows = inner / block;
      pipeline->row_loop = "chunk";
    }
    pipeline->row_extent = static_cast<int32_t>(rows);
    return finish(out, pipeline, call, rows);
  }

  /// The last axis is reduced, or nothing is left: one result at a time, its elements by vectors.
  Result<NodeLowering> lower_rows() {
    const std::vector<Var> args = innermost_first(vars_);
    RowStages stages(context_.target, args);
    const auto term = [&](const Expr& folded, const Expr& i) { return fold_.step(folded, element_at(kept_vars(), i)); };
    Expr folded;
    const bool sum = attrs_.kind == ReduceKind::kSum || attrs_.kind == ReduceKind::kSumSquares;
    if (count_ == 0)
      folded = fold_.init;
    else if (!float_)
      folded = stages.fold_any_order(fold_.init, count_, "acc", fold_.idempotent, term, fold_.combine);
    else if (sum)
      folded = stages.sum(attrs_.sum_order, count_, "acc", term);
    else if (attrs_.kind == ReduceKind::kProduct || !context_.target.vectorize || count_ < 16)
      folded = stages.fold(fold_.init, count_, "acc", term);
    else
      folded = row_extreme(stages, term);
    Func out("out");
    QL_ASSIGN(const Expr result, stored(folded));
    out(args) = result;
    auto pipeline = std::make_shared<KernelPipeline>();
    LoweredCall call;
    stages.compute_at(out, vars_.back());
    int64_t rows = kept_[0];
    Var row = vars_[0];
    // Everything is computed inside the innermost loop, so only the loops around it may be fused.
    for (size_t k = 1; k + 1 < kept_.size() && rows < 32; k++) {
      const Var fused("row");
      out.fuse(vars_[k], row, fused);
      row = fused;
      rows *= kept_[k];
    }
    pipeline->row_loop = row.name();
    pipeline->row_extent = static_cast<int32_t>(rows);
    return finish(out, pipeline, call, rows);
  }

  /// Largest or smallest float of a row. By the bits as integers, in any order, as long as no NaN is there and the
  /// result is no zero: then the order would show (max(x, y) is x > y ? x : y), and the row is folded again in order.
  Expr row_extreme(RowStages& stages, const RowStages::Term& term) {
    const auto key = [&](const Expr& i) {
      const Expr bits = A::bits(element_at(kept_vars(), i));
      return attrs_.kind == ReduceKind::kAbsMax ? bits : bits ^ ((bits >> 31) & A::i32(0x7fffffff));
    };
    const bool smallest = attrs_.kind == ReduceKind::kMin;
    const auto better = [&](const Expr& a, const Expr& b) { return smallest ? Halide::min(a, b) : Halide::max(a, b); };
    const Expr init = attrs_.kind == ReduceKind::kAbsMax ? A::i32(0) : smallest ? A::i32(INT32_MAX) : A::i32(INT32_MIN);
    const Expr best = stages.fold_any_order(
        init, count_, "key", true, [&](const Expr& m, const Expr& i) { return better(m, key(i)); }, better);
    Expr in_order;
    Expr value;
    if (attrs_.kind == ReduceKind::kAbsMax) {
      in_order = best > A::i32(0x7f800000);
      value = A::from_bits(best);
    } else {
      const Expr magnitude = stages.fold_any_order(
          A::i32(0), count_, "magnitude", true,
          [&](const Expr& m, const Expr& i) {
            return Halide::max(m, A::bits(element_at(kept_vars(), i)) & A::i32(0x7fffffff));
          },
          [](const Expr& a, const Expr& b) { return Halide::max(a, b); });
      in_order = magnitude > A::i32(0x7f800000) || best == A::i32(0) || best == A::i32(-1);
      value = A::from_bits(best ^ ((best >> 31) & A::i32(0x7fffffff)));
    }
    const Expr ordered = stages.fold(fold_.init, count_, "ordered", term, in_order);
    return select(in_order, ordered, value);
  }

  Result<NodeLowering> finish(const Func& out, const std::shared_ptr<KernelPipeline>& pipeline, LoweredCall& call,
                              int64_t rows) {
    const std::string kind = enum_names(ReduceKind{})[static_cast<size_t>(attrs_.kind)];
    pipeline->name = "reduce_axes_" + kind;
    pipeline->inputs = bindings_.inputs();
    pipeline->outputs = {{out, dense_dims(innermost_first_extents(kept_)), storage_bytes(context_.out().type.type)}};
    call.operands = bindings_.operands();
    call.operands.push_back(KernelOperand::of(context_.node.outputs[0]));
    const int64_t per_row = std::max<int64_t>(1, element_count(context_.in(0).shape()) / rows);
    call.min_rows_per_task = static_cast<int32_t>(std::max<int64_t>(1, kElementsPerTask / per_row));
    call.key = "reduce|" + kind + (interleaved() ? "16" : "") + "|" + context_.target.name + "|" + name(type_);
    for (const MergedAxis& axis : axes_)
      call.key += (axis.reduced ? ";r" : ";k") + std::to_string(axis.extent);
    call.key += count_ == 0 ? "empty" : "";
    call.key += std::string("->") + name(context_.out().type.type) + "[" + to_string(context_.out().shape()) + "]" +
                operands_->key() + "|" + steps_key(attrs_.steps);
    call.description = "reduce " + kind + " " + to_string(context_.in(0).shape()) + " " + name(type_) + " -> " +
                       to_string(context_.out().shape()) + " " + name(context_.out().type.type);
    call.pipeline = pipeline;
    NodeLowering lowering;
    lowering.calls.push_back(std::move(call));
    return lowering;
  }

  const LoweringContext& context_;
  const ReduceAttrs& attrs_;
  ValueType type_;
  bool float_;
  Fold fold_;
  KernelBindings bindings_;
  std::vector<MergedAxis> axes_;
  Shape kept_, reduced_;
  int64_t count_ = 1;
  Halide::ImageParam x_;
  std::vector<Var> vars_;
  std::unique_ptr<StepBindings> operands_;
};

Result<NodeLowering> lower_reduce(const LoweringContext& context) { return ReduceKernel(context).lower(); }

const LoweringRegistry::Add add_reduce("reduce", lower_reduce);

}  // namespace
}  // namespace qlathe
