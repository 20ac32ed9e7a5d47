#include "schedule/strips/rules.h"

#include <algorithm>

#include "frontend/ops/contraction.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/pointwise.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

/// Elements [0, axis) are one element.
bool outer_axes_are_one(const Shape& shape, int axis) {
  return std::all_of(shape.begin(), shape.begin() + axis, [](int64_t extent) { return extent == 1; });
}

/// Operands from `first` on, which are broadcast to the result aligned at the last axis (a contraction's scales have an
/// axis of blocks before the result's): those with an element for each row are cut as it is. False where one element
/// stands for several rows.
bool cut_broadcast(const Graph& graph, const Node& node, size_t first, Rows rows, Strip& strip) {
  const Shape& out = graph[node.outputs[0]].shape();
  const int axis = row_axis(out);
  for (size_t i = first; i < node.inputs.size(); i++) {
    if (!node.inputs[i].valid()) continue;
    const Shape& shape = graph[node.inputs[i]].shape();
    const int at = axis + static_cast<int>(shape.size()) - static_cast<int>(out.size());
    if (at < 0 || at >= static_cast<int>(shape.size()) || shape[static_cast<size_t>(at)] == 1) continue;
    if (shape[static_cast<size_t>(at)] != out[static_cast<size_t>(axis)] || !outer_axes_are_one(shape, at))
      return false;
    strip.inputs[i] = rows;
  }
  return true;
}

std::optional<Strip> pointwise(const Graph& graph, const Node& node, Rows rows) {
  Strip strip{std::vector<std::optional<Rows>>(node.inputs.size()), node.attrs};
  if (!cut_broadcast(graph, node, 0, rows, strip)) return std::nullopt;
  return strip;
}

std::optional<Strip> reshape(const Graph& graph, const Node& node, Rows rows) {
  const Shape &from = graph[node.inputs[0]].shape(), &to = graph[node.outputs[0]].shape();
  const int in = row_axis(from), out = row_axis(to);
  if (in < 0 || from[static_cast<size_t>(in)] != to[static_cast<size_t>(out)]) return std::nullopt;
  auto attrs = std::make_shared<ReshapeAttrs>();
  attrs->shape = to;
  attrs->shape[static_cast<size_t>(out)] = rows.count();
  return Strip{{rows}, attrs};
}

std::optional<Strip> pad(const Graph& graph, const Node& node, Rows rows) {
  const auto& whole = node.as<PadAttrs>();
  const Shape &from = graph[node.inputs[0]].shape(), &to = graph[node.outputs[0]].shape();
  const auto axis = static_cast<size_t>(row_axis(to));
  if (whole.mode != PadMode::kConstant || !outer_axes_are_one(from, static_cast<int>(axis))) return std::nullopt;
  if (!whole.interior.empty() && whole.interior[axis] != 0) return std::nullopt;
  auto attrs = std::make_shared<PadAttrs>(whole);
  const int64_t extent = from[axis], lo = whole.lo[axis];
  const Rows in{std::clamp<int64_t>(rows.begin - lo, 0, extent), std::clamp<int64_t>(rows.end - lo, 0, extent)};
  if (in.count() <= 0) return std::nullopt;
  attrs->lo[axis] = in.begin + lo - rows.begin;
  attrs->hi[axis] = rows.end - lo - in.end;
  Strip strip{std::vector<std::optional<Rows>>(node.inputs.size()), attrs};
  if (!cut_broadcast(graph, node, 1, rows, strip)) return std::nullopt;
  strip.inputs[0] = in;
  return strip;
}

/// Rows that windows at rows `rows` of a result read, of an input with `pad_lo` rows before it.
Rows under(const Window& window, Rows rows, int64_t pad_lo) {
  return {rows.begin * window.stride - pad_lo,
          (rows.end - 1) * window.stride + (window.kernel - 1) * window.dilation + 1 - pad_lo};
}

std::optional<Strip> pool(const Graph& graph, const Node& node, Rows rows) {
  const auto& whole = node.as<PoolAttrs>();
  const Shape &from = graph[node.inputs[0]].shape(), &to = graph[node.outputs[0]].shape();
  const int axis = row_axis(to);
  const auto spatial = static_cast<size_t>(axis) - 1;
  if (axis < 1 || spatial >= whole.windows.size() || !outer_axes_are_one(from, axis)) return std::nullopt;
  auto attrs = std::make_shared<PoolAttrs>(whole);
  attrs->pad_lo.resize(whole.windows.size());
  attrs->pad_hi.resize(whole.windows.size());
  const Rows reach = under(whole.windows[spatial], rows, attrs->pad_lo[spatial]);
  const int64_t extent = from[static_cast<size_t>(axis)];
  const Rows in{std::max<int64_t>(0, reach.begin), std::min(extent, reach.end)};
  if (in.count() <= 0) return std::nullopt;
  attrs->pad_lo[spatial] = in.begin - reach.begin;
  attrs->pad_hi[spatial] = reach.end - in.end;
  Strip strip{std::vector<std::optional<Rows>>(node.inputs.size()), attrs};
  if (!cut_broadcast(graph, node, 1, rows, strip)) return std::nullopt;
  strip.inputs[0] = in;
  return strip;
}

/// `first_spatial`: of the axes of lhs and result.
template <class A>
std::optional<Strip> product(const Graph& graph, const Node& node, int first_spatial, Rows rows) {
  const auto& attrs = node.as<A>();
  const Shape &from = graph[node.inputs[kLhs]].shape(), &to = graph[node.outputs[0]].shape();
  const int axis = row_axis(to), spatial = axis - first_spatial;
  if (spatial < 0 || spatial >= static_cast<int>(attrs.windows.size()) || !outer_axes_are_one(from, axis))
    return std::nullopt;
  Strip strip{std::vector<std::optional<Rows>>(node.inputs.size()), node.attrs};
  if (!cut_broadcast(graph, node, kLhsZeroPoint, rows, strip)) return std::nullopt;
  strip.inputs[kLhs] = under(attrs.windows[static_cast<size_t>(spatial)], rows, 0);
  return strip;
}

}  // namespace

int row_axis(const Shape& shape) {
  for (size_t d = 0; d < shape.size(); d++) {
    if (shape[d] != 1) return shape[d] > 1 ? static_cast<int>(d) : -1;
  }
  return -1;
}

std::optional<Strip> strip_of(const Graph& graph, const Node& node, Rows rows) {
  if (node.outputs.size() != 1) return std::nullopt;
  // Rows of single elements are left alone: tables, which are used whole, could be taken for them.
  const Shape& out = graph[node.outputs[0]].shape();
  if (row_axis(out) < 0 || row_axis(out) + 1 == static_cast<int>(out.size())) return std::nullopt;
  if (node.op == "pointwise") return pointwise(graph, node, rows);
  if (node.op == "reshape") return reshape(graph, node, rows);
  if (node.op == "pad") return pad(graph, node, rows);
  if (node.op == "pool") return pool(graph, node, rows);
  if (node.op == "contraction") return product<ContractionAttrs>(graph, node, 2, rows);
  if (node.op == "depthwise") return product<DepthwiseAttrs>(graph, node, 1, rows);
  return std::nullopt;
}

}  // namespace qlathe
