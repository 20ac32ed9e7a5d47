#pragma once
#include <cstdint>
#include <vector>

#include "frontend/ir/graph.h"

namespace qlathe {

/// Inputs made up from a seed, the same on every machine: floats in [-1, 1), integers over their whole range (booleans
/// and 64-bit integers, which are indices as a rule, 0 or 1).
std::vector<HostTensor> sample_inputs(const Graph& graph, uint64_t seed);

/// What the graph gives for them: by the reference executor, or as native code where the reference would take long.
Result<std::vector<HostTensor>> sample_outputs(const Graph& graph, const std::vector<HostTensor>& inputs);

}  // namespace qlathe
