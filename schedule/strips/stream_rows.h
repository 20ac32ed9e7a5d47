#pragma once
/// Chains of nodes computed strip by strip, so that what lies between them is never there as a whole. As in patch-based
/// inference (Lin et al., "MCUNetV2", 2021) the rows that two strips both need are computed twice; results are the
/// same bits.
#include <functional>
#include <string>
#include <vector>

#include "frontend/ir/graph.h"

namespace qlathe {

struct StreamedChain {
  std::string first, last;  ///< names of the nodes
  int strips = 0;
  int64_t macs_before = 0, macs = 0;  ///< multiply-accumulates of the chain
};

struct StreamedGraph {
  Graph graph;
  std::vector<StreamedChain> chains;
  int64_t macs_before = 0, macs = 0;  ///< of the whole graph
};

/// Cuts chains of a canonical graph of one image into strips of rows, where the most bytes are live at once (views
/// counted once, kernels' own memory not counted), until at most `enough` bytes are or nothing helps any more. A
/// chain's own multiply-accumulates at most double. Without chains the graph is the same. `progress` hears of each
/// place that was looked at: how many, and of how many at most.
Result<StreamedGraph> stream_rows(const Graph& canonical, int64_t enough = 0,
                                  const std::function<void(size_t, size_t)>& progress = {});

/// The most bytes of tensors that are live at one node.
int64_t live_peak_bytes(const Graph& canonical);

/// "conv1 to conv2 in 4 strips (+7.1 % multiply-accumulates)" and so on, a line each.
std::vector<std::string> describe(const StreamedGraph& streamed);

}  // namespace qlathe
