#pragma once
/// How a node is computed for some of its result's rows alone.
#include <memory>
#include <optional>
#include <vector>

#include "frontend/ir/graph.h"

namespace qlathe {

/// Rows [begin, end) of a tensor. Rows are its outermost axis of more than one element: those of an image where there
/// is one image, so that the rows of a range lie together in memory.
struct Rows {
  int64_t begin = 0, end = 0;
  int64_t count() const { return end - begin; }
  friend bool operator==(const Rows&, const Rows&) = default;
};

/// Index of the axis of rows; -1 for a tensor of at most one element.
int row_axis(const Shape& shape);

/// A node of the same op that gives some rows of the result.
struct Strip {
  std::vector<std::optional<Rows>> inputs;  ///< of each input; no value: all of it
  std::shared_ptr<const OpAttrs> attrs;
};

/// Rows `rows` of the node's only result, or nothing: where the op has no rule, rows of the result do not come from
/// rows of the inputs, or a strip would read nothing but padding. Rules: contraction, depthwise, pool (windows over
/// rows), pad (constant), pointwise, and reshape that keeps the axis of rows.
std::optional<Strip> strip_of(const Graph& graph, const Node& node, Rows rows);

}  // namespace qlathe
