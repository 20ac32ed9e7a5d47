// softmax and layer_norm: one kernel, a row at a time. The statistics of a row and, for softmax, its exponentials are
// computed inside the row loop; rows are the elements of the last axes, flattened.
#include <algorithm>
#include <limits>
#include <string>

#include "frontend/numerics/elementary.h"
#include "frontend/ops/reduction.h"
#include "schedule/halide_algebra.h"
#include "schedule/lower/iteration.h"
#include "schedule/lower/operands.h"
#include "schedule/lower/row_stages.h"
#include "schedule/lower/rows.h"

namespace qlathe {
namespace {

using Halide::Expr;
using A = HalideAlgebra;
namespace el = elementary;

/// A kernel whose result has the operand's shape, seen as [rows, n].
class RowKernel {
 public:
  RowKernel(const LoweringContext& context, int64_t n, const std::vector<PointwiseStep>& steps, std::string name)
      : context_(context),
        steps_(steps),
        name_(std::move(name)),
        n_(n),
        rows_(element_count(context.out().shape()) / n),
        bindings_(context),
        x_(bindings_.tensor(context.node.inputs[0], "x", {rows_, n_})),
        stages(context.target, {row_}) {}

  /// Element i of the row in flight as float32.
  Expr x(const Expr& i) const { return to_float(load_value(context_.in(0).type.type, x_(i, row_))).expr; }
  /// Element i of a float operand of n elements.
  std::function<Expr(Expr)> along_row(size_t input, const std::string& name) {
    const ValueType type = context_.in(input).type.type;
    const Halide::ImageParam param = bindings_.tensor(context_.node.inputs[input], name, {n_});
    key_ += std::string(";") + name + ":" + qlathe::name(type);
    return [param, type](Expr i) { return to_float(load_value(type, param(i))).expr; };
  }
  Expr index() const { return i_; }

  /// The kernel that computes `value` at index() and then the steps.
  Result<NodeLowering> finish(const Expr& value, const std::string& what) {
    const Shape& shape = context_.out().shape();
    const StepBindings operands(context_, bindings_, steps_, shape);
    // Coordinates of the result: the leading axes from the row, the others from the index along it.
    size_t leading = 0;
    for (int64_t left = rows_; left > 1; leading++)
      left /= shape[leading];
    std::vector<Expr> coordinates = split_index(row_, {shape.begin(), shape.begin() + static_cast<long>(leading)});
    for (const Expr& e : split_index(i_, {shape.begin() + static_cast<long>(leading), shape.end()}))
      coordinates.push_back(e);
    QL_ASSIGN(const FlightValue result, apply_steps({value, ValueType::kF32}, steps_, operands.at(coordinates)));
    Halide::Func out("out");
    out(i_, row_) = store_value(result);
    const int lanes = vector_lanes(context_.target.vectorize ? context_.target.lanes(32) : 1, n_);
    if (lanes > 1) {
      out.vectorize(i_, lanes, n_ % lanes == 0 ? Halide::TailStrategy::RoundUp : Halide::TailStrategy::ShiftInwards);
    }
    stages.compute_at(out, row_);

    auto pipeline = std::make_shared<KernelPipeline>();
    pipeline->name = name_;
    pipeline->inputs = bindings_.inputs();
    pipeline->outputs = {{out, dense_dims({static_cast<int32_t>(n_), static_cast<int32_t>(rows_)}),
                          storage_bytes(context_.out().type.type)}};
    pipeline->row_loop = row_.name();
    pipeline->row_extent = static_cast<int32_t>(rows_);
    LoweredCall call;
    call.operands = bindings_.operands();
    call.operands.push_back(KernelOperand::of(context_.node.outputs[0]));
    call.min_rows_per_task = static_cast<int32_t>(std::max<int64_t>(1, kElementsPerTask / 4 / n_));
    call.key = what + "|" + context_.target.name + "|" + name(context_.in(0).type.type) + "[" + to_string(shape) +
               "]->" + name(context_.out().type.type) + key_ + operands.key() + "|" + steps_key(steps_);
    call.description = name_ + " " + std::to_string(rows_) + " rows of " + std::to_string(n_) + " " +
                       name(context_.in(0).type.type) + " -> " + name(context_.out().type.type);
    call.pipeline = std::move(pipeline);
    NodeLowering lowering;
    lowering.calls.push_back(std::move(call));
    return lowering;
  }

 private:
  const LoweringContext& context_;
  const std::vector<PointwiseStep>& steps_;
  std::string name_, key_;
  int64_t n_, rows_;
  KernelBindings bindings_;
  Halide::ImageParam x_;
  Halide::Var i_{"i"}, row_{"row"};

 public:
  RowStages stages;
};

Result<NodeLowering> lower_softmax(const LoweringContext& context) {
  const auto& attrs = context.node.as<SoftmaxAttrs>();
  const int64_t n = context.in(0).shape().back();
  RowKernel kernel(context, n, attrs.steps, attrs.log ? "log_softmax" : "softmax");
  // The order of the maximum does not show: with a NaN in the row every result is NaN, and a zero's sign makes no
  // difference to x - m where it could be seen.
  const auto larger = [](const Expr& a, const Expr& b) { return Halide::select(a > b, a, b); };
  const Expr m = kernel.stages.fold_any_order(
      A::f32(-std::numeric_limits<float>::infinity()), n, "m", true,
      [&](const Expr& max, const Expr& i) { return larger(max, kernel.x(i)); }, larger);
  std::function<Expr(Expr)> e;
  const auto exponential = [&](const Expr& i) { return el::exp<A>(kernel.x(i) - m); };
  e = kernel.stages.buffer(n, "e", exponential);
  const Expr s = kernel.stages.sum(attrs.sum_order, n, "s", [&](const Expr& sum, const Expr& i) { return sum + e(i); });
  const Expr factor = kernel.stages.once("factor", attrs.log ? el::log<A>(s) : A::f32(1) / s);
  const Expr i = kernel.index();
  const Expr y = attrs.log ? (kernel.x(i) - m) - factor : e(i) * factor;
  return kernel.finish(y, std::string("softmax") + (attrs.log ? "_log" : "") +
                              enum_names(SumOrder{})[static_cast<size_t>(attrs.sum_order)]);
}

Result<NodeLowering> lower_layer_norm(const LoweringContext& context) {
  const auto& attrs = context.node.as<LayerNormAttrs>();
  const Shape& shape = context.in(0).shape();
  const int64_t n = element_count({shape.end() - attrs.axes, shape.end()});
  RowKernel kernel(context, n, attrs.steps, attrs.rms ? "rms_norm" : "layer_norm");
  const float recip = 1.f / static_cast<float>(n);
  Expr mean = A::f32(0);
  if (!attrs.rms) {
    const Expr sum =
        kernel.stages.sum(attrs.sum_order, n, "sum", [&](const Expr& s, const Expr& i) { return s + kernel.x(i); });
    mean = kernel.stages.once("mean", sum * A::f32(recip));
  }
  // Without a mean: x - 0 has the bits of x.
  const auto centered = [&](const Expr& i) { return attrs.rms ? kernel.x(i) : kernel.x(i) - mean; };
  const Expr squares = kernel.stages.sum(attrs.sum_order, n, "squares", [&](const Expr& s, const Expr& i) {
    const Expr c = centered(i);
    return A::fma(c, c, s);
  });
  const Expr scaled = kernel.stages.once("variance", squares * A::f32(recip));
  const Expr r = kernel.stages.once("r", el::rsqrt<A>(scaled + A::f32(static_cast<float>(attrs.epsilon))));
  const Expr i = kernel.index();
  Expr y = centered(i) * r;
  const bool gamma = context.has(1), beta = context.has(2);
  const auto g = gamma ? kernel.along_row(1, "gamma") : nullptr;
  const auto b = beta ? kernel.along_row(2, "beta") : nullptr;
  if (gamma && beta)
    y = A::fma(y, g(i), b(i));
  else if (gamma)
    y = y * g(i);
  else if (beta)
    y = y + b(i);
  char epsilon[40];
  std::snprintf(epsilon, sizeof epsilon, "%a", attrs.epsilon);
  return kernel.finish(y, std::string(attrs.rms ? "rms_norm" : "layer_norm") +
                              enum_names(SumOrder{})[static_cast<size_t>(attrs.sum_order)] + epsilon + "/" +
                              std::to_string(n));
}

const LoweringRegistry::Add add_softmax("softmax", lower_softmax);
const LoweringRegistry::Add add_layer_norm("layer_norm", lower_layer_norm);

}  // namespace
}  // namespace qlathe
