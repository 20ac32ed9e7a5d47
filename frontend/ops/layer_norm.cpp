#include <cmath>

#include "frontend/numerics/elementary.h"
#include "frontend/ops/checks.h"
#include "frontend/ops/float_sums.h"
#include "frontend/ops/pointwise_steps.h"
#include "frontend/ops/product_sums.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

enum Slot { kX, kGamma, kBeta, kExtra };

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const auto& attrs = ctx.node.as<LayerNormAttrs>();
  const TensorType& x = ctx.in(kX);
  const auto rank = static_cast<int64_t>(x.shape.size());
  if (attrs.axes < 1 || attrs.axes > rank) {
    return ctx.error("axes",
                     "is " + std::to_string(attrs.axes) + ", the operand has " + std::to_string(rank) + " axes");
  }
  if (!is_arithmetic_float(x.type)) {
    return ctx.error("x", "is " + std::string(name(x.type)) + ", expected a float", "dequantize it first");
  }
  if (!(attrs.epsilon >= 0)) return ctx.error("epsilon", "is not a number from 0 on");
  const Shape normalized(x.shape.end() - attrs.axes, x.shape.end());
  if (element_count(normalized) == 0) return ctx.error("x", "has no elements to normalize over");
  for (size_t i : {kGamma, kBeta}) {
    if (!ctx.has(i)) continue;
    if (!is_arithmetic_float(ctx.in(i).type) || ctx.in(i).shape != normalized) {
      return ctx.error(operand_name(ctx.node, i),
                       "is " + to_string(ctx.in(i)) + ", expected a float of shape " + to_string(normalized));
    }
  }
  QL_ASSIGN(const ValueType type, check_steps(ctx, attrs.steps, ValueType::kF32, x.shape, kExtra));
  return std::vector<TensorType>{{type, x.shape}};
}

void evaluate(const EvalContext& ctx) {
  const auto& attrs = ctx.node.as<LayerNormAttrs>();
  const std::vector<float> x = widen<float>(*ctx.inputs[kX]);
  const HostTensor *gamma = optional_input(ctx, kGamma), *beta = optional_input(ctx, kBeta);
  const std::vector<float> g = gamma == nullptr ? std::vector<float>{} : widen<float>(*gamma);
  const std::vector<float> b = beta == nullptr ? std::vector<float>{} : widen<float>(*beta);
  const Shape& shape = ctx.inputs[kX]->shape();
  const int64_t n = element_count({shape.end() - attrs.axes, shape.end()});
  const float recip = 1.f / static_cast<float>(n);
  HostTensor value(ValueType::kF32, shape);
  for (size_t row = 0; row < x.size(); row += static_cast<size_t>(n)) {
    const float* in = &x[row];
    float* out = &value.as<float>()[row];
    const float sum = ordered_sum<float>(attrs.sum_order, n, [&](float s, int64_t i) { return s + in[i]; });
    const float mean = attrs.rms ? 0.f : sum * recip;
    const float squares = ordered_sum<float>(attrs.sum_order, n, [&](float s, int64_t i) {
      const float centered = in[i] - mean;
      return std::fma(centered, centered, s);
    });
    const float r = elementary::rsqrt<elementary::ScalarAlgebra>(squares * recip + static_cast<float>(attrs.epsilon));
    for (int64_t i = 0; i < n; i++) {
      const auto at = static_cast<size_t>(i);
      const float y = (in[i] - mean) * r;
      if (gamma == nullptr)
        out[i] = beta == nullptr ? y : y + b[at];
      else
        out[i] = beta == nullptr ? y * g[at] : std::fma(y, g[at], b[at]);
    }
  }
  finish(ctx, attrs.steps, value);
}

const OpRegistry::Add kLayerNorm({.name = "layer_norm",
                                  .summary = "normalization over the last axes, layer or rms",
                                  .operands = {"x", "gamma", "beta", "operands..."},
                                  .required = 1,
                                  .make_attrs = [] { return std::make_shared<LayerNormAttrs>(); },
                                  .infer = infer,
                                  .evaluate = evaluate,
                                  .steps = steps_of<LayerNormAttrs>,
                                  .first_step_operand = kExtra,
                                  .real_because = "normalization is in float32"});

}  // namespace
}  // namespace qlathe
