#include "frontend/passes/views.h"

#include "frontend/ops/movement.h"
#include "frontend/ops/pointwise.h"

namespace qlathe {

Origin derived(const Origin& origin, const std::string& suffix) {
  Origin out = origin;
  out.name += suffix;
  return out;
}

Result<TensorId> reshape_to(Graph& graph, TensorId x, const Shape& shape, const Origin& origin) {
  if (graph[x].shape() == shape) return x;
  ReshapeAttrs attrs;
  attrs.shape = shape;
  return graph.add("reshape", {x}, std::make_shared<ReshapeAttrs>(attrs), derived(origin, ".reshape"));
}

bool permutation_is_view(const Shape& shape, const std::vector<int64_t>& permutation) {
  int64_t last = -1;
  for (int64_t axis : permutation) {
    if (shape[static_cast<size_t>(axis)] == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

Result<TensorId> transpose_to(Graph& graph, TensorId x, const std::vector<int64_t>& permutation, const Origin& origin) {
  const Shape shape = graph[x].shape();
  if (permutation_is_view(shape, permutation)) {
    Shape moved;
    for (int64_t axis : permutation)
      moved.push_back(shape[static_cast<size_t>(axis)]);
    return reshape_to(graph, x, moved, origin);
  }
  TransposeAttrs attrs;
  attrs.permutation = permutation;
  return graph.add("transpose", {x}, std::make_shared<TransposeAttrs>(attrs), derived(origin, ".transpose"));
}

Result<TensorId> repeat_to(Graph& graph, TensorId x, const Shape& shape, const Origin& origin) {
  const Shape from = graph[x].shape();
  if (from == shape) return x;
  // [p] -> [p, 1] -> [p, n / p] -> [n] on every axis
  Shape split, repeated;
  for (size_t d = 0; d < from.size(); d++) {
    const int64_t extent = from[d];
    split.insert(split.end(), {extent, 1});
    repeated.insert(repeated.end(), {extent, extent == 0 ? 1 : shape[d] / extent});
  }
  BroadcastAttrs attrs;
  attrs.shape = repeated;
  QL_ASSIGN(const TensorId spread, reshape_to(graph, x, split, origin));
  QL_ASSIGN(const TensorId full,
            graph.add("broadcast", {spread}, std::make_shared<BroadcastAttrs>(attrs), derived(origin, ".broadcast")));
  return reshape_to(graph, full, shape, origin);
}

Result<TensorId> cast_to(Graph& graph, TensorId x, ValueType type, const Origin& origin) {
  if (graph[x].type.type == type) return x;
  PointwiseAttrs attrs;
  attrs.steps.emplace_back();
  attrs.steps[0].op = "cast";
  attrs.steps[0].type = type;
  return graph.add("pointwise", {x}, std::make_shared<PointwiseAttrs>(attrs), derived(origin, ".cast"));
}

}  // namespace qlathe
