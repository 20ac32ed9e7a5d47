// pad: one kernel over the result. Axes without padding are merged with their neighbours. Along padded axes the index
// is clamped, and where the operand has no element the value is selected; `likely` lets the vectorized loop be split,
// so that the part inside runs without either.
#include <algorithm>

#include "frontend/ops/movement.h"
#include "schedule/lower/operands.h"
#include "schedule/lower/rows.h"
#include "schedule/lower/strided_copy.h"

namespace qlathe {
namespace {

using Halide::Expr;

struct PadAxis {
  int64_t extent, result, lo, interior;
  bool plain() const { return extent == result && lo == 0 && interior == 0; }
};

std::vector<PadAxis> pad_axes(const PadAttrs& attrs, const Shape& from, const Shape& to) {
  std::vector<PadAxis> out;
  for (size_t d = 0; d < from.size(); d++) {
    const int64_t interior = attrs.interior.empty() ? 0 : attrs.interior[d];
    // Between zero or one elements there is nothing.
    out.push_back({from[d], to[d], attrs.lo[d], from[d] > 1 ? interior : 0});
  }
  if (out.empty()) out.push_back({1, 1, 0, 0});
  return out;
}

/// Where result index i takes its element from, and whether there is one (undefined: always).
struct Source {
  Expr index, inside;
};

Source source_of(const PadAxis& axis, PadMode mode, const Expr& i) {
  if (axis.plain()) return {i, Expr()};
  const auto extent = static_cast<int32_t>(axis.extent);
  const Expr p = i - static_cast<int32_t>(axis.lo);
  const bool below = axis.lo > 0;
  const bool above = axis.result > axis.lo + axis.extent;
  const auto clamped = [&](Expr e) {
    if (below) e = Halide::max(e, 0);
    if (above) e = Halide::min(e, extent - 1);
    return e;
  };
  switch (mode) {
    case PadMode::kConstant: {
      Expr inside;
      const auto require = [&](const Expr& condition) { inside = inside.defined() ? inside && condition : condition; };
      if (below) require(p >= 0);
      if (above) require(p < extent);
      return {clamped(Halide::likely(p)), inside};
    }
    case PadMode::kEdge:
      return {clamped(Halide::likely(p)), Expr()};
    case PadMode::kReflect:
    case PadMode::kSymmetric: {
      const int32_t again = mode == PadMode::kSymmetric ? 1 : 0;  // the edge element is repeated
      Expr e = Halide::likely(p);
      if (above) e = Halide::select(p >= extent, 2 * (extent - 1) + again - p, e);
      if (below) e = Halide::select(p < 0, -p - again, e);
      // The bounds that the shape check has made sure of, for Halide's analysis.
      return {Halide::clamp(e, 0, extent - 1), Expr()};
    }
  }
  internal_error(__FILE__, __LINE__, "a pad mode", std::to_string(static_cast<int>(mode)));
}

/// Two calls: the whole result is filled, then the operand's elements go to their places. For padding of the last axis
/// and between elements, where one loop would have to choose between the two for every element.
Result<NodeLowering> fill_and_copy(const LoweringContext& context, const PadAttrs& attrs) {
  const Shape &from = context.in(0).shape(), &to = context.out().shape();
  const TensorId result = context.node.outputs[0];
  const std::vector<int64_t> from_strides = row_major_strides(from), to_strides = row_major_strides(to);
  std::vector<CopyAxis> fill, copy;
  const Shape value_shape = context.has(1) ? padded_shape(context.in(1).shape(), to.size()) : Shape(to.size(), 1);
  const std::vector<int64_t> value_strides = row_major_strides(value_shape);
  int64_t from_offset = 0, to_offset = 0;
  bool any = true;
  for (size_t d = 0; d < to.size(); d++) {
    fill.push_back({to[d], value_shape[d] > 1 ? value_strides[d] : 0, to_strides[d]});
    // Element k goes to lo + k * step; those in [0, extent of the result) are copied.
    const int64_t step = 1 + (attrs.interior.empty() ? 0 : attrs.interior[d]), lo = attrs.lo[d];
    const int64_t first = lo < 0 ? (-lo + step - 1) / step : 0;
    const int64_t room = to[d] - 1 - lo;
    const int64_t last = room < 0 ? -1 : std::min(from[d] - 1, room / step);
    any = any && first <= last;
    copy.push_back({last - first + 1, from_strides[d], to_strides[d] * step});
    from_offset += first * from_strides[d];
    to_offset += (lo + first * step) * to_strides[d];
  }
  NodeLowering out;
  QL_ASSIGN(LoweredCall filled, lower_strided_copy(context, "fill", context.has(1) ? context.node.inputs[1] : kNone, 0,
                                                   result, 0, std::move(fill)));
  out.calls.push_back(std::move(filled));
  if (any) {
    QL_ASSIGN(LoweredCall copied, lower_strided_copy(context, "pad", context.node.inputs[0], from_offset, result,
                                                     to_offset, std::move(copy)));
    out.calls.push_back(std::move(copied));
  }
  return out;
}

Result<NodeLowering> lower_pad(const LoweringContext& context) {
  const auto& attrs = context.node.as<PadAttrs>();
  const ValueType type = context.in(0).type.type;
  const Shape& to = context.out().shape();
  const bool with_value = context.has(1);
  const bool empty = element_count(context.in(0).shape()) == 0;
  std::vector<PadAxis> axes;
  Shape value_extents, result;
  const Shape value_shape = with_value ? padded_shape(context.in(1).shape(), to.size()) : Shape(to.size(), 1);
  const std::vector<PadAxis> all = pad_axes(attrs, context.in(0).shape(), to);
  for (size_t d = 0; d < all.size(); d++) {
    const int64_t value_extent = d < value_shape.size() ? value_shape[d] : 1;
    // An axis without padding joins the one before it: its runs are contiguous on both sides.
    const bool joins = !axes.empty() && all[d].plain() && axes.back().interior == 0 &&
                       ((value_extent == 1 && value_extents.back() == 1) ||
                        (value_extent == all[d].result && value_extents.back() == axes.back().result)) &&
                       (axes.back().plain() || attrs.mode == PadMode::kConstant) && !empty;
    if (joins) {
      const int64_t n = all[d].extent;
      axes.back() = {axes.back().extent * n, axes.back().result * n, axes.back().lo * n, 0};
      value_extents.back() *= value_extent;
    } else {
      axes.push_back(all[d]);
      value_extents.push_back(value_extent);
    }
  }
  const bool between = std::any_of(axes.begin(), axes.end(), [](const PadAxis& axis) { return axis.interior > 0; });
  if (attrs.mode == PadMode::kConstant && !all.empty() && !to.empty() && (between || !axes.back().plain())) {
    return fill_and_copy(context, attrs);
  }
  for (const PadAxis& axis : axes)
    result.push_back(axis.result);

  KernelBindings bindings(context);
  const std::vector<Halide::Var> vars = axis_vars(axes.size());
  Expr value = Halide::Internal::make_zero(storage_type(type));
  std::vector<Expr> index, value_index;
  Expr inside;
  Shape from;
  std::string key =
      "pad|" + context.target.name + "|" + name(type) + enum_names(PadMode{})[static_cast<size_t>(attrs.mode)];
  for (size_t d = 0; d < axes.size(); d++) {
    from.push_back(axes[d].extent);
    key += ";" + std::to_string(axes[d].extent) + ":" + std::to_string(axes[d].result) + ":" +
           std::to_string(axes[d].lo) + ":" + std::to_string(axes[d].interior) + ":" + std::to_string(value_extents[d]);
  }
  if (!empty) {
    for (size_t d = axes.size(); d-- > 0;) {
      const Source source = source_of(axes[d], attrs.mode, vars[d]);
      index.push_back(source.index);
      if (source.inside.defined()) inside = inside.defined() ? source.inside && inside : source.inside;
    }
    const Halide::ImageParam x = bindings.tensor(context.node.inputs[0], "x", from);
    if (with_value) {
      const Halide::ImageParam fill = bindings.tensor(context.node.inputs[1], "value", value_extents);
      for (size_t d = axes.size(); d-- > 0;)
        value_index.push_back(broadcast_index(vars[d], axes[d].result, value_extents[d]));
      value = fill(value_index);
    }
    value = inside.defined() ? Halide::select(inside, Halide::likely(x(index)), value) : Expr(x(index));
  } else if (with_value) {
    const Halide::ImageParam fill = bindings.tensor(context.node.inputs[1], "value", value_extents);
    for (size_t d = axes.size(); d-- > 0;)
      value_index.push_back(broadcast_index(vars[d], axes[d].result, value_extents[d]));
    value = fill(value_index);
  }
  Halide::Func out("out");
  out(innermost_first(vars)) = value;

  auto pipeline = std::make_shared<KernelPipeline>();
  pipeline->name = "pad_axes";
  LoweredCall call;
  // Reflections along the last axis go element by element.
  const bool vectorize = context.target.vectorize && axes.back().plain();
  const int lanes = vectorize ? context.target.lanes(8 * storage_bytes(type)) : 1;
  schedule_rows(out, vars, result, lanes, *pipeline, call);
  pipeline->inputs = bindings.inputs();
  pipeline->outputs = {{out, dense_dims(innermost_first_extents(result)), storage_bytes(type)}};
  call.operands = bindings.operands();
  call.operands.push_back(KernelOperand::of(context.node.outputs[0]));
  call.key = key + (with_value ? "v" : "");
  call.description = "pad " + to_string(to) + " " + name(type);
  call.pipeline = std::move(pipeline);
  NodeLowering lowering;
  lowering.calls.push_back(std::move(call));
  return lowering;
}

const LoweringRegistry::Add add_pad("pad", lower_pad);

}  // namespace
}  // namespace qlathe
