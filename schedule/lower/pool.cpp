// pool: windows over channels-last images. Padding is skipped by a condition on the window's loops, outside the
// vectors. Channels are vectorized; where there is one alone, the last spatial axis is, if it is not padded (strides up
// to 4 are loads of whole vectors and a shuffle).
#include <algorithm>
#include <limits>

#include "frontend/ops/reduction.h"
#include "schedule/halide_algebra.h"
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
using A = HalideAlgebra;

Result<NodeLowering> lower_pool(const LoweringContext& context) {
  const auto& attrs = context.node.as<PoolAttrs>();
  const Tensor &x = context.in(0), &result = context.out();
  const size_t spatial = attrs.windows.size();
  const bool integer = is_integer(x.type.type), max = attrs.kind == PoolKind::kMax;
  KernelBindings bindings(context);
  const Halide::ImageParam in = bindings.tensor(context.node.inputs[0], "x", x.shape());
  const StepBindings operands(context, bindings, attrs.steps, result.shape());
  // Image, spatial axes, channel.
  std::vector<Var> vars = {Var("image")};
  for (size_t s = 0; s < spatial; s++)
    vars.emplace_back(std::string(1, "zyx"[3 - std::min<size_t>(3, spatial) + std::min<size_t>(s, 2)]) +
                      (spatial > 3 ? std::to_string(s) : ""));
  vars.emplace_back("c");
  const std::vector<Var> args = innermost_first(vars);

  Halide::Region ranges;
  // An axis of one position has one window: its taps inside the input are known, and need no condition.
  std::vector<bool> one_window(spatial, false);
  for (size_t s = spatial; s-- > 0;) {
    const Window& w = attrs.windows[s];
    const int64_t lo = attrs.pad_lo.empty() ? 0 : attrs.pad_lo[s];
    int64_t first = 0, end = w.kernel;
    if (result.shape()[1 + s] == 1) {
      first = (lo + w.dilation - 1) / w.dilation;
      end = std::min(w.kernel, (x.shape()[1 + s] + lo + w.dilation - 1) / w.dilation);
      one_window[s] = first < end;
      if (!one_window[s]) first = 0, end = w.kernel;
    }
    ranges.emplace_back(Expr(static_cast<int32_t>(first)), Expr(static_cast<int32_t>(end - first)));
  }
  if (ranges.empty()) ranges.emplace_back(Expr(0), Expr(1));
  RDom r(ranges, "window");
  // Without spatial axes there is one element: the loop over it must still occur.
  std::vector<Expr> index = {spatial == 0 ? vars.back() + r[0] : Expr(vars.back())};
  bool last_padded = false;
  std::string key;
  for (size_t s = spatial; s-- > 0;) {
    const Window& w = attrs.windows[s];
    const int64_t lo = attrs.pad_lo.empty() ? 0 : attrs.pad_lo[s], extent = x.shape()[1 + s];
    const int64_t reach = (result.shape()[1 + s] - 1) * w.stride + (w.kernel - 1) * w.dilation - lo;
    const Expr at = vars[1 + s] * static_cast<int32_t>(w.stride) +
                    r[static_cast<int>(spatial - 1 - s)] * static_cast<int32_t>(w.dilation) - static_cast<int32_t>(lo);
    const bool padded = !one_window[s] && (lo > 0 || reach >= extent);
    if (padded && lo > 0) r.where(at >= 0);
    if (padded && reach >= extent) r.where(at < static_cast<int32_t>(extent));
    if (s + 1 == spatial) last_padded = padded;
    // The clamp changes nothing where the condition holds; it keeps Halide's bounds inside the buffer.
    index.push_back(padded ? Halide::clamp(at, 0, static_cast<int32_t>(extent - 1)) : at);
    key += ";" + std::to_string(w.kernel) + "/" + std::to_string(w.stride) + "/" + std::to_string(w.dilation) + "-" +
           std::to_string(lo);
  }
  index.emplace_back(vars[0]);

  FlightValue element = load_value(x.type.type, in(index));
  const double count = [&] {
    double n = 1;
    for (const Window& w : attrs.windows)
      n *= static_cast<double>(w.kernel);
    return n;
  }();
  Func acc("acc");
  FlightValue folded;
  if (max) {
    const Halide::Type type = element.expr.type();
    acc(args) = integer ? type.min() : A::f32(-std::numeric_limits<float>::infinity());
    const Expr old = acc(args);
    acc(args) = integer ? Halide::max(old, element.expr) : Halide::select(old > element.expr, old, element.expr);
    folded = {acc(args), x.type.type, element.bound};
  } else if (integer) {
    acc(args) = Halide::Internal::make_zero(Halide::UInt(32));
    acc(args) += Halide::cast<uint32_t>(Halide::cast(element.expr.type().with_bits(32), element.expr));
    folded = {Halide::reinterpret<int32_t>(acc(args)), ValueType::kI32, std::min(2147483648.0, element.bound * count)};
  } else {
    acc(args) = A::f32(0);
    acc(args) += to_float(element).expr;
    folded = {acc(args), ValueType::kF32};
  }
  QL_ASSIGN(const FlightValue value, apply_steps(folded, attrs.steps, operands.at(as_expressions(vars))));
  const Expr stored = store_value(value);
  Func out("out");
  out(args) = stored;

  auto pipeline = std::make_shared<KernelPipeline>();
  LoweredCall call;
  const int bits = std::max(widest_bits(stored), acc.types()[0].bits());
  const int most = context.target.vectorize ? context.target.lanes(bits) : 1;
  // The axis of the vectors: `across` is the axis number in the result.
  size_t across = spatial + 1;
  if (result.shape()[across] < 4 && spatial > 0 && !last_padded && result.shape()[spatial] > 4 &&
      attrs.windows[spatial - 1].stride <= 4 && x.shape().back() == 1) {
    across = spatial;
  }
  const int64_t inner = result.shape()[across];
  const int lanes = vector_lanes(most, inner);
  int64_t vectors = 1;
  while (vectors < 4 && inner >= 2 * vectors * lanes)
    vectors *= 2;
  const int64_t block = vectors * lanes;
  const bool exact = inner % block == 0;
  const Var v("v"), w("w"), chunk("chunk");
  const Var& last = vars[across];
  out.split(last, chunk, w, static_cast<int32_t>(block), exact ? TailStrategy::RoundUp : TailStrategy::ShiftInwards);
  std::vector<Halide::VarOrRVar> order;
  if (lanes > 1) {
    out.split(w, w, v, lanes, TailStrategy::RoundUp).vectorize(v);
    order = {v, w, chunk};
  } else {
    order = {w, chunk};
  }
  // Channels come right outside the blocks where they are not vectorized themselves.
  for (size_t axis = vars.size(); axis-- > 0;) {
    if (axis != across) order.emplace_back(vars[axis]);
  }
  out.reorder(order);
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

  // Rows: images and outer spatial axes, or blocks where there is but one position.
  int64_t rows = result.shape()[0];
  Var row = vars[0];
  for (size_t axis = 1; axis < std::max<size_t>(across, 1) && axis <= spatial && rows < 32; axis++) {
    const Var fused("row");
    out.fuse(vars[axis], row, fused);
    row = fused;
    rows *= result.shape()[axis];
  }
  if (rows == 1 && exact && across == spatial + 1 && element_count(result.shape()) == inner) {
    row = chunk;
    rows = inner / block;
  }
  pipeline->row_loop = row.name();
  pipeline->row_extent = static_cast<int32_t>(rows);
  pipeline->name = max ? "max_pool" : "sum_pool";
  pipeline->inputs = bindings.inputs();
  pipeline->outputs = {{out, dense_dims(innermost_first_extents(result.shape())), storage_bytes(result.type.type)}};
  call.operands = bindings.operands();
  call.operands.push_back(KernelOperand::of(context.node.outputs[0]));
  const double work = static_cast<double>(element_count(result.shape())) * count / static_cast<double>(rows);
  call.min_rows_per_task = static_cast<int32_t>(std::max(1.0, static_cast<double>(kElementsPerTask) / work));
  call.key = pipeline->name + "|" + context.target.name + "|" + name(x.type.type) + "[" + to_string(x.shape()) + "]" +
             key + "->" + name(result.type.type) + "[" + to_string(result.shape()) + "]" + operands.key() + "|" +
             steps_key(attrs.steps);
  call.description = pipeline->name + " " + to_string(x.shape()) + " " + name(x.type.type) + " -> " +
                     to_string(result.shape()) + " " + name(result.type.type);
  call.pipeline = std::move(pipeline);
  NodeLowering lowering;
  lowering.calls.push_back(std::move(call));
  return lowering;
}

const LoweringRegistry::Add add_pool("pool", lower_pool);

}  // namespace
}  // namespace qlathe
