#pragma once
#include <vector>

#include "frontend/ir/graph.h"

namespace qlathe {

/// By node: whether an output or a state of the graph depends on it.
std::vector<bool> live_nodes(const Graph& graph);

}  // namespace qlathe
