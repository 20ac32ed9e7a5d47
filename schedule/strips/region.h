#pragma once
/// A run of nodes that is computed strip by strip.
#include <optional>
#include <vector>

#include "schedule/strips/rules.h"

namespace qlathe {

/// Nodes [first, last] of a graph whose only tensor that others read is the result of node `last`.
struct Region {
  int first = 0, last = 0;
};

/// Whether the nodes are such a run, whose result has rows and whose nodes all serve it.
bool is_region(const Graph& graph, const std::vector<std::vector<int>>& readers, Region region);

/// What computes one strip of the region's result: a Strip per node, by node - first, and the rows of each node's
/// result. Nothing where a node cannot be cut.
struct RegionStrip {
  std::vector<Strip> nodes;
  std::vector<Rows> rows;
};
std::optional<RegionStrip> cut_region(const Graph& graph, const std::vector<int>& producers, Region region, Rows rows);

/// Multiply-accumulates of a contraction or depthwise node for `rows` rows of its result; of other nodes 0.
int64_t macs_of_rows(const Graph& graph, const Node& node, int64_t rows);

}  // namespace qlathe
