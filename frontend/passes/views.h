#pragma once
#include <string>

#include "frontend/ir/graph.h"

namespace qlathe {

// Small nodes that passes put between others. Each gives `x` itself where nothing is to be done. `origin` is that of
// the node they serve; what they do is appended to its name.

Result<TensorId> reshape_to(Graph& graph, TensorId x, const Shape& shape, const Origin& origin);
/// Result axis i is x's axis permutation[i]; a reshape where only axes of extent 1 move.
Result<TensorId> transpose_to(Graph& graph, TensorId x, const std::vector<int64_t>& permutation, const Origin& origin);
/// To `shape` of equal rank by tiled broadcasting: every element along an axis repeated shape[d] / extent times.
Result<TensorId> repeat_to(Graph& graph, TensorId x, const Shape& shape, const Origin& origin);
/// One cast step, saturating.
Result<TensorId> cast_to(Graph& graph, TensorId x, ValueType type, const Origin& origin);

/// Whether the permutation only moves axes of extent 1 past others.
bool permutation_is_view(const Shape& shape, const std::vector<int64_t>& permutation);

/// `origin` with a longer name.
Origin derived(const Origin& origin, const std::string& suffix);

}  // namespace qlathe
