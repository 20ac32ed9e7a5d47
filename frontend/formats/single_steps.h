#pragma once
#include "frontend/ir/graph.h"

namespace qlathe {

/// The graph with at most one step a node: the steps of products, reductions and chains as pointwise nodes of one step
/// each, with the node's origin. Sums that a constant factor makes a mean keep that factor. Without states.
Result<Graph> single_steps(const Graph& graph);

}  // namespace qlathe
