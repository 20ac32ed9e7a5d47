// sort_places and max_place: counts and searches over elements that all belong to one result element. Results are
// vectorized, in blocks whose accumulators stay in registers.
#include <algorithm>

#include "frontend/ops/indexing.h"
#include "schedule/lower/iteration.h"
#include "schedule/lower/operands.h"
#include "schedule/lower/rows.h"

namespace qlathe {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

/// A result of axes `vars` (outermost first) that copies `acc`, which folds over `r`: blocks along the last axis.
struct Fold {
  const LoweringContext& context;
  Func acc;
  RDom r;
  std::vector<Var> vars;
  Shape extents;
  int bits = 32;
  int64_t work = 1;  ///< elements folded into one
  Func result;       ///< of acc at the same element, inlined; undefined: acc itself

  NodeLowering lower(const std::string& what, const KernelBindings& bindings, const std::string& key) {
    Func out("out");
    const std::vector<Var> args = innermost_first(vars);
    out(args) = result.defined() ? result(args) : acc(args);
    auto pipeline = std::make_shared<KernelPipeline>();
    LoweredCall call;
    const int64_t inner = extents.back();
    const int lanes = context.target.vectorize ? vector_lanes(context.target.lanes(bits), inner) : 1;
    int64_t vectors = 1;
    while (vectors < 4 && inner >= 2 * vectors * lanes)
      vectors *= 2;
    const int64_t block = vectors * lanes;
    const bool exact = inner % block == 0;
    const Var v("v"), w("w"), chunk("chunk");
    const Var& last = vars.back();
    out.split(last, chunk, w, static_cast<int32_t>(block), exact ? TailStrategy::RoundUp : TailStrategy::ShiftInwards);
    if (lanes > 1) out.split(w, w, v, lanes, TailStrategy::RoundUp).vectorize(v);
    acc.compute_at(out, chunk);
    if (lanes > 1) acc.vectorize(last, lanes, TailStrategy::RoundUp);
    Halide::Stage update = acc.update();
    std::vector<Halide::VarOrRVar> inside;
    if (lanes > 1) {
      update.split(last, w, v, lanes, TailStrategy::RoundUp).vectorize(v);
      inside = {v, w};
    } else {
      inside = {last};
    }
    static const char* const kLoops[] = {"kx", "ky", "kz"};
    for (int d = 0; d < r.dimensions(); d++) {
      const RVar loop(d < 3 ? std::string(kLoops[d]) : "k" + std::to_string(d));
      update.rename(r[d], loop);
      inside.emplace_back(loop);
    }
    update.reorder(inside);
    int64_t rows = 1;
    Var row = chunk;
    if (extents.size() > 1) {
      row = vars[0];
      rows = extents[0];
      for (size_t axis = 1; axis + 1 < extents.size() && rows < 32; axis++) {
        const Var fused("row");
        out.fuse(vars[axis], row, fused);
        row = fused;
        rows *= extents[axis];
      }
    }
    if (rows == 1 && exact && element_count(extents) == inner) {
      row = chunk;
      rows = inner / block;
    }
    if (rows > 1) {
      pipeline->row_loop = row.name();
      pipeline->row_extent = static_cast<int32_t>(rows);
    }
    const double work_of_row =
        static_cast<double>(element_count(extents)) * static_cast<double>(work) / static_cast<double>(rows);
    call.min_rows_per_task = static_cast<int32_t>(std::max(1.0, static_cast<double>(kElementsPerTask) / work_of_row));
    pipeline->name = what;
    pipeline->inputs = bindings.inputs();
    pipeline->outputs = {{out, dense_dims(innermost_first_extents(extents)), 4}};
    call.operands = bindings.operands();
    call.operands.push_back(KernelOperand::of(context.node.outputs[0]));
    const ValueType type = context.in(0).type.type;
    call.key = what + "|" + context.target.name + "|" + name(type) + "[" + to_string(context.in(0).shape()) + "]->[" +
               to_string(extents) + "]" + key;
    call.description = what + " " + to_string(context.in(0).shape()) + " " + name(type);
    call.pipeline = std::move(pipeline);
    NodeLowering lowering;
    lowering.calls.push_back(std::move(call));
    return lowering;
  }
};

Result<NodeLowering> lower_sort_places(const LoweringContext& context) {
  const bool descending = context.node.as<SortPlacesAttrs>().descending;
  const Shape& shape = context.in(0).shape();
  const int64_t n = shape.back(), outer = element_count(shape) / n;
  KernelBindings bindings(context);
  const Halide::ImageParam x = bindings.tensor(context.node.inputs[0], "x", {outer, n});
  const Var i("i"), o("o");
  RDom r(0, static_cast<int32_t>(n), "r");
  Func acc("acc");
  acc(i, o) = Halide::Internal::make_zero(Halide::Int(32));
  const Expr other = x(r, o), mine = x(i, o);
  const Expr before = (descending ? other > mine : other < mine) || (other == mine && r < i);
  acc(i, o) += Halide::select(before, Halide::Internal::make_const(Halide::Int(32), 1),
                              Halide::Internal::make_zero(Halide::Int(32)));
  Fold fold{context, acc, r, {o, i}, {outer, n}, std::max(32, x.type().bits()), n};
  return fold.lower("sorted_places", bindings, descending ? " descending" : "");
}

Result<NodeLowering> lower_max_place(const LoweringContext& context) {
  const auto& attrs = context.node.as<MaxPlaceAttrs>();
  const Shape &shape = context.in(0).shape(), &result = context.out().shape();
  const size_t spatial = attrs.windows.size();
  KernelBindings bindings(context);
  const Halide::ImageParam x = bindings.tensor(context.node.inputs[0], "x", shape);
  const Halide::ImageParam m = bindings.tensor(context.node.inputs[1], "m", result);
  const std::vector<Var> vars = axis_vars(spatial + 2);
  Halide::Region ranges;
  for (size_t s = spatial; s-- > 0;)
    ranges.emplace_back(Expr(0), Expr(static_cast<int32_t>(attrs.windows[s].kernel)));
  if (ranges.empty()) ranges.emplace_back(Expr(0), Expr(1));
  RDom r(ranges, "window");
  std::vector<Expr> index = {vars.back()};
  Expr place = Halide::Internal::make_zero(Halide::Int(32)), taps = place;
  std::string key;
  int64_t count = 1;
  // The first of the window in row-major order: its tap number is the smallest.
  int64_t weight = 1;
  for (size_t s = spatial; s-- > 0;) {
    const Window& w = attrs.windows[s];
    const int64_t lo = attrs.pad_lo.empty() ? 0 : attrs.pad_lo[s], extent = shape[1 + s];
    const RVar tap = r[static_cast<int>(spatial - 1 - s)];
    const Expr at = vars[1 + s] * static_cast<int32_t>(w.stride) + tap * static_cast<int32_t>(w.dilation) -
                    static_cast<int32_t>(lo);
    r.where(at >= 0 && at < static_cast<int32_t>(extent));
    const Expr inside = Halide::clamp(at, 0, static_cast<int32_t>(extent - 1));
    index.push_back(inside);
    taps = taps + tap * static_cast<int32_t>(weight);
    weight *= w.kernel;
    count *= w.kernel;
    key += ";" + std::to_string(w.kernel) + "/" + std::to_string(w.stride) + "/" + std::to_string(w.dilation) + "-" +
           std::to_string(lo) + "*" + std::to_string(attrs.weights[s]);
  }
  index.emplace_back(vars[0]);
  const std::vector<Var> args = innermost_first(vars);
  std::vector<Expr> here(args.begin(), args.end());
  const Expr none = Halide::Internal::make_const(Halide::Int(32), count);
  Func acc("acc");
  acc(args) = none;
  acc(args) = Halide::min(acc(args), Halide::select(x(index) == m(here), taps, none));
  // From the tap to the place.
  Expr tap = acc(args);
  Func found("found");
  for (size_t s = spatial; s-- > 0;) {
    const Window& w = attrs.windows[s];
    const int64_t lo = attrs.pad_lo.empty() ? 0 : attrs.pad_lo[s];
    const Expr k = tap % static_cast<int32_t>(w.kernel);
    tap = tap / static_cast<int32_t>(w.kernel);
    place = place + (vars[1 + s] * static_cast<int32_t>(w.stride) + k * static_cast<int32_t>(w.dilation) -
                     static_cast<int32_t>(lo)) *
                        static_cast<int32_t>(attrs.weights[s]);
  }
  found(args) = Halide::select(acc(args) == none, Halide::Internal::make_zero(Halide::Int(32)), place);
  Fold fold{context, acc, r, vars, result, std::max(32, x.type().bits()), count};
  fold.result = found;
  return fold.lower("max_places", bindings, key);
}

const LoweringRegistry::Add add_sort_places("sort_places", lower_sort_places);
const LoweringRegistry::Add add_max_place("max_place", lower_max_place);

}  // namespace
}  // namespace qlathe
