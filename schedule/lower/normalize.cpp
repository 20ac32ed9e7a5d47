// softmax and layer_norm: one kernel, a row at a time. The statistics of a row and, for softmax, its exponentials are
// computed inside the row loop; rows are the elements of the last axes, flattened.
#include <limits>
#include <string>

#include "frontend/numerics/elementary.h"
#include "frontend/ops/reduction.h"
#include "schedule/halide_algebra.h"
#include "schedule/lower/row_kernel.h"

namespace qlathe {
namespace {

using Halide::Expr;
using A = HalideAlgebra;
namespace el = elementary;

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
  return kernel.finish({y, ValueType::kF32}, std::string("softmax") + (attrs.log ? "_log" : "") +
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
  return kernel.finish({y, ValueType::kF32}, std::string(attrs.rms ? "rms_norm" : "layer_norm") +
                                                 enum_names(SumOrder{})[static_cast<size_t>(attrs.sum_order)] +
                                                 epsilon + "/" + std::to_string(n));
}

const LoweringRegistry::Add add_softmax("softmax", lower_softmax);
const LoweringRegistry::Add add_layer_norm("layer_norm", lower_layer_norm);

}  // namespace
}  // namespace qlathe
