#pragma once
/// Whether parts of a network are computed strip by strip (schedule/strips/stream_rows.h), and what that costs.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/pipeline.h"
#include "schedule/program.h"

namespace qlathe {

enum class RowStreaming {
  kToFit,  ///< as far as `ram` asks for; not at all without it
  kNever,
  kAlways  ///< until the arena does not become smaller
};

struct PlannedGraph {
  Graph graph;  ///< what `program` computes: the canonical graph, or one with strips
  Program program;
  std::vector<std::string> notes;  ///< the chains in strips, and their cost; empty where there are none
};

/// Plans the canonical graph for the target: as it is where `ram` bytes (arena, states, and something for the stack)
/// are enough, else with as few chains in strips as that takes, or with all that help. With `pools` the result is
/// spread over them, and what they have together is what there is where `ram` says nothing.
Result<PlannedGraph> plan_rows(Graph canonical, const Target& target, RowStreaming streaming,
                               const std::optional<int64_t>& ram, int threads, const StageProgress& progress = {},
                               const std::vector<PoolLimit>& pools = {});

}  // namespace qlathe
