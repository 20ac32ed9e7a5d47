#include <cstring>

#include "frontend/ops/checks.h"
#include "frontend/ops/indexing.h"

namespace qlathe {
namespace {

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const TensorType &x = ctx.in(0), &indices = ctx.in(1), &updates = ctx.in(2);
  if (x.shape.empty()) return ctx.error("x", "is a scalar, expected rows");
  if (indices.type != ValueType::kI32 || indices.shape.size() != 1)
    return ctx.error("indices", "are " + to_string(indices) + ", expected int32 of one axis");
  Shape expected = x.shape;
  expected[0] = indices.shape[0];
  if (updates.type != x.type || updates.shape != expected) {
    return ctx.error("updates", "are " + to_string(updates) + ", expected " + name(x.type) + "[" +
                                    qlathe::to_string(expected) + "]");
  }
  const bool arithmetic = x.type == ValueType::kF32 || x.type == ValueType::kI32 || x.type == ValueType::kI64;
  if (ctx.node.as<ScatterAttrs>().kind != ScatterKind::kSet && !arithmetic)
    return ctx.error("x", "is " + std::string(name(x.type)) + ", expected float32, int32 or int64", "cast it");
  return std::vector<TensorType>{x};
}

/// `Math` is the type that computes: unsigned for integers, which wrap.
template <class T, class Math>
T combined(ScatterKind kind, T old, T update) {
  switch (kind) {
    case ScatterKind::kAdd:
      return static_cast<T>(static_cast<Math>(old) + static_cast<Math>(update));
    case ScatterKind::kMul:
      return static_cast<T>(static_cast<Math>(old) * static_cast<Math>(update));
    case ScatterKind::kMax:
      return old > update ? old : update;
    case ScatterKind::kMin:
      return old < update ? old : update;
    case ScatterKind::kSet:
      break;
  }
  return update;
}

template <class T, class Math>
void combine(const EvalContext& ctx) {
  const HostTensor &indices = *ctx.inputs[1], &updates = *ctx.inputs[2];
  const ScatterKind kind = ctx.node.as<ScatterAttrs>().kind;
  HostTensor& out = *ctx.outputs[0];
  const int64_t rows = out.shape()[0], run = row_major_strides(out.shape())[0];
  for (int64_t u = 0; u < indices.size(); u++) {
    const int64_t row = indices.int_at(u);
    if (row < 0 || row >= rows) continue;
    for (int64_t e = 0; e < run; e++) {
      T& at = out.as<T>()[static_cast<size_t>(row * run + e)];
      at = combined<T, Math>(kind, at, updates.as<T>()[static_cast<size_t>(u * run + e)]);
    }
  }
}

void evaluate(const EvalContext& ctx) {
  const HostTensor &x = *ctx.inputs[0], &indices = *ctx.inputs[1], &updates = *ctx.inputs[2];
  HostTensor& out = *ctx.outputs[0];
  if (out.size() == 0) return;
  std::memcpy(out.bytes(), x.bytes(), out.byte_size());
  if (ctx.node.as<ScatterAttrs>().kind == ScatterKind::kSet) {
    const size_t run = out.byte_size() / static_cast<size_t>(out.shape()[0]);
    for (int64_t u = 0; u < indices.size(); u++) {
      const int64_t row = indices.int_at(u);
      if (row < 0 || row >= out.shape()[0]) continue;
      std::memcpy(out.bytes() + static_cast<size_t>(row) * run, updates.bytes() + static_cast<size_t>(u) * run, run);
    }
    return;
  }
  if (x.type() == ValueType::kF32) return combine<float, float>(ctx);
  if (x.type() == ValueType::kI32) return combine<int32_t, uint32_t>(ctx);
  combine<int64_t, uint64_t>(ctx);
}

const OpRegistry::Add kScatter({.name = "scatter",
                                .summary = "rows replaced by, or combined with, updates",
                                .operands = {"x", "indices", "updates"},
                                .required = 3,
                                .make_attrs = [] { return std::make_shared<ScatterAttrs>(); },
                                .infer = infer,
                                .evaluate = evaluate});

}  // namespace
}  // namespace qlathe
