#include "frontend/ops/checks.h"
#include "frontend/ops/indexing.h"

namespace qlathe {
namespace {

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const TensorType& x = ctx.in(0);
  QL_RETURN_IF_ERROR(check_axes(ctx, "axis", {ctx.node.as<CumsumAttrs>().axis}, static_cast<int64_t>(x.shape.size())));
  if (x.type != ValueType::kF32 && x.type != ValueType::kI32 && x.type != ValueType::kI64)
    return ctx.error("x", "is " + std::string(name(x.type)) + ", expected float32, int32 or int64", "cast it");
  return std::vector<TensorType>{x};
}

/// `Sum` is the type that adds: unsigned for integers, which wrap.
template <class T, class Sum>
void sums(const EvalContext& ctx) {
  const auto& attrs = ctx.node.as<CumsumAttrs>();
  const HostTensor& x = *ctx.inputs[0];
  const auto axis = static_cast<size_t>(attrs.axis);
  const int64_t n = x.shape()[axis], run = row_major_strides(x.shape())[axis];
  const auto from = x.as<T>();
  const auto to = ctx.outputs[0]->as<T>();
  for (int64_t first = 0; first < x.size(); first += n * run) {
    for (int64_t k = 0; k < run; k++) {
      Sum sum = 0;
      for (int64_t i = 0; i < n; i++) {
        const auto at = static_cast<size_t>(first + (attrs.reverse ? n - 1 - i : i) * run + k);
        if (attrs.exclusive) to[at] = static_cast<T>(sum);
        sum = i == 0 ? static_cast<Sum>(from[at]) : sum + static_cast<Sum>(from[at]);
        if (!attrs.exclusive) to[at] = static_cast<T>(sum);
      }
    }
  }
}

void evaluate(const EvalContext& ctx) {
  const ValueType type = ctx.inputs[0]->type();
  if (ctx.inputs[0]->size() == 0) return;
  if (type == ValueType::kF32) return sums<float, float>(ctx);
  if (type == ValueType::kI32) return sums<int32_t, uint32_t>(ctx);
  sums<int64_t, uint64_t>(ctx);
}

const OpRegistry::Add kCumsum({.name = "cumsum",
                               .summary = "running sums along an axis",
                               .operands = {"x"},
                               .required = 1,
                               .make_attrs = [] { return std::make_shared<CumsumAttrs>(); },
                               .infer = infer,
                               .evaluate = evaluate});

}  // namespace
}  // namespace qlathe
