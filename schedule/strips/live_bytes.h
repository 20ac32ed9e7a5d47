#pragma once
#include <vector>

#include "frontend/ir/graph.h"

namespace qlathe {

/// Bytes that are live at each node, by node; 0 at views. Inputs, outputs, states and constants are not counted.
std::vector<int64_t> live_bytes(const Graph& graph);

}  // namespace qlathe
