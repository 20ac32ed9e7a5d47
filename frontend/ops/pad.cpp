#include <algorithm>

#include "frontend/ops/checks.h"
#include "frontend/ops/copy.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/tiled_broadcast.h"

namespace qlathe {
namespace {

int64_t interior_of(const PadAttrs& attrs, size_t d) { return attrs.interior.empty() ? 0 : attrs.interior[d]; }

Result<int64_t> padded_extent(const InferContext& ctx, size_t d) {
  const auto& attrs = ctx.node.as<PadAttrs>();
  const int64_t extent = ctx.in(0).shape[d];
  const int64_t lo = attrs.lo[d], hi = attrs.hi[d], interior = interior_of(attrs, d);
  if (interior < 0) return ctx.error("interior", "is negative on axis " + std::to_string(d));
  if (attrs.mode != PadMode::kConstant) {
    // Reflection repeats no edge element, so it has one element less to give.
    const int64_t available = attrs.mode == PadMode::kReflect     ? extent - 1
                              : attrs.mode == PadMode::kSymmetric ? extent
                              : extent > 0                        ? kHugeSize
                                                                  : 0;
    if (interior != 0) return ctx.error("interior", "only the constant mode has interior padding");
    if (lo > std::max<int64_t>(available, 0) || hi > std::max<int64_t>(available, 0)) {
      return ctx.error("lo",
                       "axis " + std::to_string(d) + " has " + std::to_string(extent) +
                           " elements, too few for padding of " + std::to_string(lo) + " and " + std::to_string(hi) +
                           " in this mode",
                       "pad less or use the constant mode");
    }
  }
  const int64_t dilated = extent == 0 ? 0 : saturating_add(saturating_mul(extent - 1, saturating_add(interior, 1)), 1);
  const int64_t out = saturating_add(saturating_add(lo, dilated), hi);
  if (out < 0) {
    return ctx.error("lo", "cropping takes more than all of axis " + std::to_string(d), "crop less");
  }
  return out;
}

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const auto& attrs = ctx.node.as<PadAttrs>();
  const TensorType& x = ctx.in(0);
  QL_RETURN_IF_ERROR(check_length(ctx, "lo", attrs.lo.size(), x.shape.size()));
  QL_RETURN_IF_ERROR(check_length(ctx, "hi", attrs.hi.size(), x.shape.size()));
  if (!attrs.interior.empty()) QL_RETURN_IF_ERROR(check_length(ctx, "interior", attrs.interior.size(), x.shape.size()));
  TensorType out{x.type, {}};
  for (size_t d = 0; d < x.shape.size(); d++) {
    QL_ASSIGN(const int64_t extent, padded_extent(ctx, d));
    out.shape.push_back(extent);
  }
  if (ctx.has(1)) {
    const TensorType& value = ctx.in(1);
    if (attrs.mode != PadMode::kConstant)
      return ctx.error("value", "only the constant mode takes a value", "remove it");
    if (value.type != x.type || !broadcasts_plainly_to(value.shape, out.shape)) {
      return ctx.error("value", "is " + to_string(value) + ", expected " + name(x.type) + " that broadcasts to " +
                                    to_string(out.shape));
    }
  }
  return std::vector<TensorType>{out};
}

/// Index along an axis of `extent` elements that position i (0 = first element of x) takes its value from, or -1.
int64_t source_index(const PadAttrs& attrs, size_t d, int64_t i, int64_t extent) {
  switch (attrs.mode) {
    case PadMode::kConstant: {
      const int64_t step = interior_of(attrs, d) + 1;
      return i >= 0 && i % step == 0 && i / step < extent ? i / step : -1;
    }
    case PadMode::kEdge:
      return std::clamp<int64_t>(i, 0, extent - 1);
    case PadMode::kReflect:  // 3 2 1 | 0 1 2 3 | 2 1 0
      return i < 0 ? -i : i >= extent ? 2 * (extent - 1) - i : i;
    case PadMode::kSymmetric:  // 2 1 0 | 0 1 2 3 | 3 2 1
      return i < 0 ? -i - 1 : i >= extent ? 2 * extent - 1 - i : i;
  }
  QL_CHECK(false, std::to_string(static_cast<int>(attrs.mode)));
}

void evaluate(const EvalContext& ctx) {
  const auto& attrs = ctx.node.as<PadAttrs>();
  const HostTensor& x = *ctx.inputs[0];
  HostTensor& out = *ctx.outputs[0];
  if (out.size() == 0) return;
  std::fill(out.bytes(), out.bytes() + out.byte_size(), uint8_t{0});
  if (ctx.inputs.size() > 1 && ctx.inputs[1] != nullptr) {
    const HostTensor& value = *ctx.inputs[1];
    const BroadcastIndex index(value.shape(), out.shape());
    const auto bytes = static_cast<size_t>(storage_bytes(x.type()));
    for (int64_t i = 0; i < out.size(); i++) {
      const uint8_t* from = value.bytes() + static_cast<size_t>(index.at(i)) * bytes;
      std::copy(from, from + bytes, out.bytes() + static_cast<size_t>(i) * bytes);
    }
  }
  if (x.size() == 0) return;
  const auto strides = row_major_strides(x.shape());
  std::vector<std::vector<int64_t>> tables(strides.size());
  for (size_t d = 0; d < strides.size(); d++) {
    for (int64_t i = 0; i < out.shape()[d]; i++) {
      const int64_t index = source_index(attrs, d, i - attrs.lo[d], x.shape()[d]);
      tables[d].push_back(index < 0 ? kOutside : index * strides[d]);
    }
  }
  copy_by_tables(x, tables, out);
}

std::shared_ptr<const OpAttrs> on_base(const InferContext& ctx, const std::vector<int64_t>& p) {
  if (ctx.has(1) && element_count(ctx.in(1).shape) != 1) return nullptr;
  auto attrs = std::make_shared<PadAttrs>(ctx.node.as<PadAttrs>());
  attrs->lo = by_base_axes(attrs->lo, p);
  attrs->hi = by_base_axes(attrs->hi, p);
  attrs->interior = by_base_axes(attrs->interior, p);
  return attrs;
}

const OpRegistry::Add kPad({.name = "pad",
                            .summary = "elements added around and between, or cropped",
                            .operands = {"x", "value"},
                            .required = 1,
                            .make_attrs = [] { return std::make_shared<PadAttrs>(); },
                            .infer = infer,
                            .evaluate = evaluate,
                            .work = OpWork::kMoves,
                            .layout = {.attrs = on_base}});

}  // namespace
}  // namespace qlathe
