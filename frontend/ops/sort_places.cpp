#include "frontend/ops/checks.h"
#include "frontend/ops/indexing.h"

namespace qlathe {
namespace {

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const TensorType& x = ctx.in(0);
  if (x.shape.empty()) return ctx.error("x", "is a scalar, expected rows");
  if (x.type != ValueType::kF32 && !is_integer(x.type))
    return ctx.error("x", "is " + std::string(name(x.type)) + ", expected float32 or integers", "cast it");
  return std::vector<TensorType>{{ValueType::kI32, x.shape}};
}

template <class At>
void places(const EvalContext& ctx, const At& at) {
  HostTensor& out = *ctx.outputs[0];
  const bool descending = ctx.node.as<SortPlacesAttrs>().descending;
  const int64_t n = out.shape().back();
  for (int64_t first = 0; first < out.size(); first += n) {
    for (int64_t i = 0; i < n; i++) {
      const auto mine = at(first + i);
      int32_t before = 0;
      for (int64_t j = 0; j < n; j++) {
        const auto other = at(first + j);
        before += (descending ? other > mine : other < mine) || (other == mine && j < i);
      }
      out.set_int(first + i, before);
    }
  }
}

void evaluate(const EvalContext& ctx) {
  const HostTensor& x = *ctx.inputs[0];
  if (x.type() == ValueType::kF32)
    return places(ctx, [values = x.as<float>()](int64_t i) { return values[static_cast<size_t>(i)]; });
  places(ctx, [&](int64_t i) { return x.int_at(i); });
}

const OpRegistry::Add kSortPlaces({.name = "sort_places",
                                   .summary = "where each element of a row stands when the row is sorted",
                                   .operands = {"x"},
                                   .required = 1,
                                   .make_attrs = [] { return std::make_shared<SortPlacesAttrs>(); },
                                   .infer = infer,
                                   .evaluate = evaluate});

}  // namespace
}  // namespace qlathe
