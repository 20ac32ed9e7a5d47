#include "frontend/numerics/elementary.h"
#include "frontend/ops/checks.h"
#include "frontend/ops/float_sums.h"
#include "frontend/ops/pointwise_steps.h"
#include "frontend/ops/product_sums.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const auto& attrs = ctx.node.as<SoftmaxAttrs>();
  const TensorType& x = ctx.in(0);
  if (x.shape.empty() || x.shape.back() == 0) {
    return ctx.error("x", "has shape " + to_string(x.shape) + ", softmax needs a last axis with elements");
  }
  QL_ASSIGN(const ValueType entering, check_steps(ctx, attrs.before, x.type, x.shape, 1));
  if (!is_arithmetic_float(entering)) {
    return ctx.error("x", "is " + std::string(name(entering)) + ", expected a float", "dequantize it first");
  }
  QL_ASSIGN(const ValueType type, check_steps(ctx, attrs.steps, ValueType::kF32, x.shape, 1));
  return std::vector<TensorType>{{type, x.shape}};
}

void evaluate(const EvalContext& ctx) {
  const auto& attrs = ctx.node.as<SoftmaxAttrs>();
  HostTensor entering = *ctx.inputs[0];
  if (!attrs.before.empty()) {
    entering = HostTensor(attrs.before.back().type, ctx.inputs[0]->shape());
    run_steps(attrs.before, ctx.inputs, *ctx.inputs[0], entering);
  }
  const std::vector<float> x = widen<float>(entering);
  HostTensor value(ValueType::kF32, ctx.inputs[0]->shape());
  const int64_t n = ctx.inputs[0]->shape().back();
  std::vector<float> e(static_cast<size_t>(n));
  for (size_t row = 0; row < x.size(); row += static_cast<size_t>(n)) {
    const float* in = &x[row];
    float* out = &value.as<float>()[row];
    const float m = sum_sequential(n - 1, in[0], [&](float max, int64_t i) { return max_step(max, in[i + 1]); });
    for (int64_t i = 0; i < n; i++)
      e[static_cast<size_t>(i)] = elementary::exp<elementary::ScalarAlgebra>(in[i] - m);
    const float s =
        ordered_sum<float>(attrs.sum_order, n, [&](float sum, int64_t i) { return sum + e[static_cast<size_t>(i)]; });
    const float factor = attrs.log ? elementary::log<elementary::ScalarAlgebra>(s) : 1.f / s;
    for (int64_t i = 0; i < n; i++)
      out[i] = attrs.log ? (in[i] - m) - factor : e[static_cast<size_t>(i)] * factor;
  }
  finish(ctx, attrs.steps, value);
}

const OpRegistry::Add kSoftmax({.name = "softmax",
                                .summary = "softmax or its logarithm over the last axis",
                                .operands = {"x", "operands..."},
                                .required = 1,
                                .make_attrs = [] { return std::make_shared<SoftmaxAttrs>(); },
                                .infer = infer,
                                .evaluate = evaluate,
                                .steps = steps_of<SoftmaxAttrs>,
                                .first_step_operand = 1});

}  // namespace
}  // namespace qlathe
