// cumsum and scatter: a copy of the operand, then updates of the result in a stated order. Updates that read the result
// are scalar: Halide takes vectors loaded from it for aligned ones, which a caller's buffer need not be.
#include "frontend/ops/indexing.h"
#include "schedule/lower/operands.h"
#include "schedule/lower/rows.h"

namespace qlathe {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::Var;

/// a op b that wraps where the type is an integer.
template <class Op>
Expr wrapping(const Expr& a, const Expr& b, Op op) {
  if (a.type().is_float()) return op(a, b);
  const Halide::Type u = a.type().with_code(halide_type_uint);
  return Halide::reinterpret(a.type(), op(Halide::reinterpret(u, a), Halide::reinterpret(u, b)));
}

/// Vectors along the innermost axis, where it is long enough and a multiple of them.
void vectorize_stage(Halide::Stage stage, const Var& axis, int64_t extent, int most) {
  int lanes = most;
  while (lanes > 1 && extent % lanes != 0)
    lanes /= 2;
  if (lanes > 1) stage.vectorize(axis, lanes, Halide::TailStrategy::RoundUp);
}

NodeLowering one_call(const LoweringContext& context, const KernelBindings& bindings, const Func& out,
                      const Shape& extents, std::shared_ptr<KernelPipeline> pipeline, LoweredCall call,
                      const std::string& key) {
  const ValueType type = context.out().type.type;
  pipeline->inputs = bindings.inputs();
  pipeline->outputs = {{out, dense_dims(innermost_first_extents(extents)), storage_bytes(type)}};
  call.operands = bindings.operands();
  call.operands.push_back(KernelOperand::of(context.node.outputs[0]));
  call.key = pipeline->name + "|" + context.target.name + "|" + name(type) + "[" + to_string(extents) + "]" + key;
  call.description = pipeline->name + " " + to_string(context.out().shape()) + " " + name(type);
  call.pipeline = std::move(pipeline);
  NodeLowering lowering;
  lowering.calls.push_back(std::move(call));
  return lowering;
}

Result<NodeLowering> lower_cumsum(const LoweringContext& context) {
  const auto& attrs = context.node.as<CumsumAttrs>();
  const Shape& shape = context.in(0).shape();
  const auto axis = static_cast<size_t>(attrs.axis);
  const int64_t n = shape[axis], run = row_major_strides(shape)[axis], outer = element_count(shape) / (n * run);
  const Shape extents = {outer, n, run};
  KernelBindings bindings(context);
  const Halide::ImageParam x = bindings.tensor(context.node.inputs[0], "x", extents);
  const Var k("k"), i("i"), o("o");
  Func out("out");
  const auto last = static_cast<int32_t>(n - 1);
  const int32_t shift = attrs.exclusive ? 1 : 0;
  const auto at = [&](const Expr& step) { return attrs.reverse ? last - step : step; };
  const Expr zero = Halide::Internal::make_zero(x.type());
  // Result `step` starts as what it adds to the one before it.
  if (attrs.exclusive) {
    const Expr before = attrs.reverse ? i + 1 : i - 1;
    out(k, i, o) = Halide::select(i == at(0), zero, x(k, Halide::clamp(before, 0, last), o));
  } else {
    out(k, i, o) = x(k, i, o);
  }
  auto pipeline = std::make_shared<KernelPipeline>();
  LoweredCall call;
  const int most = context.target.vectorize ? context.target.lanes(x.type().bits()) : 1;
  vectorize_stage(out, k, run, most);
  // The first two of an exclusive sum are 0 and the first element itself.
  if (n > 1 + shift) {
    RDom r(1 + shift, static_cast<int32_t>(n) - 1 - shift, "r");
    out(k, at(r), o) = wrapping(out(k, at(r - 1), o), out(k, at(r), o), [](Expr a, Expr b) { return a + b; });
    const Halide::RVar step("step");
    Halide::Stage update = out.update();
    update.rename(r[0], step);
  }
  if (outer > 1) {
    pipeline->row_loop = o.name();
    pipeline->row_extent = static_cast<int32_t>(outer);
  }
  call.min_rows_per_task = static_cast<int32_t>(std::max<int64_t>(1, kElementsPerTask / (n * run)));
  pipeline->name = "running_sum";
  return one_call(context, bindings, out, extents, pipeline, std::move(call),
                  std::string(attrs.exclusive ? " exclusive" : "") + (attrs.reverse ? " reverse" : ""));
}

Expr combined(ScatterKind kind, const Expr& old, const Expr& update) {
  switch (kind) {
    case ScatterKind::kAdd:
      return wrapping(old, update, [](Expr a, Expr b) { return a + b; });
    case ScatterKind::kMul:
      return wrapping(old, update, [](Expr a, Expr b) { return a * b; });
    case ScatterKind::kMax:
      return Halide::select(old > update, old, update);
    case ScatterKind::kMin:
      return Halide::select(old < update, old, update);
    case ScatterKind::kSet:
      break;
  }
  return update;
}

Result<NodeLowering> lower_scatter(const LoweringContext& context) {
  const ScatterKind kind = context.node.as<ScatterAttrs>().kind;
  const Shape& shape = context.in(0).shape();
  const int64_t rows = shape[0], run = element_count(shape) / rows, count = element_count(context.in(1).shape());
  KernelBindings bindings(context);
  const Halide::ImageParam x = bindings.tensor(context.node.inputs[0], "x", {rows, run});
  const Halide::ImageParam indices = bindings.tensor(context.node.inputs[1], "indices", {count});
  const Halide::ImageParam updates = bindings.tensor(context.node.inputs[2], "updates", {count, run});
  const Var k("k"), i("i");
  Func out("out");
  out(k, i) = x(k, i);
  RDom r(0, static_cast<int32_t>(count), "r");
  const Expr row = indices(r);
  r.where(row >= 0 && row < static_cast<int32_t>(rows));
  // The clamp changes nothing where the condition holds; it keeps Halide's bounds inside the buffer.
  const Expr inside = Halide::clamp(row, 0, static_cast<int32_t>(rows - 1));
  out(k, inside) = combined(kind, out(k, inside), updates(k, r));
  const int most = context.target.vectorize ? context.target.lanes(x.type().bits()) : 1;
  if (run == 1) {
    vectorize_stage(out, i, rows, most);
  } else {
    vectorize_stage(out, k, run, most);
  }
  const Halide::RVar update("u");
  Halide::Stage stage = out.update();
  stage.rename(r[0], update);
  stage.reorder(k, update);
  if (kind == ScatterKind::kSet) vectorize_stage(stage, k, run, most);
  auto pipeline = std::make_shared<KernelPipeline>();
  pipeline->name = "scatter_rows";
  return one_call(context, bindings, out, {rows, run}, pipeline, LoweredCall(),
                  "by " + std::to_string(count) + " " + enum_names(ScatterKind{})[static_cast<size_t>(kind)]);
}

const LoweringRegistry::Add add_cumsum("cumsum", lower_cumsum);
const LoweringRegistry::Add add_scatter("scatter", lower_scatter);

}  // namespace
}  // namespace qlathe
