#pragma once
/// Where every buffer of a program is. Only .cpp files that build programs include this.
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "schedule/lower/lowering.h"
#include "schedule/memory/aliases.h"
#include "schedule/memory/arena.h"
#include "schedule/program.h"

namespace qlathe {

struct PlacedCall {
  int node = 0, call = 0;  ///< of the graph, of the node's lowering
  std::vector<BufferRef> buffers;
};

struct Layout {
  std::vector<PlacedCall> calls;                           ///< those that do something, in order
  std::vector<int> first_constant;                         ///< of each node's own constants in the program
  std::vector<std::pair<TensorId, int>> tensor_constants;  ///< constants of the graph that kernels read as they are
  int constants = 0;
  std::vector<ArenaItem> arena;
  ArenaPlan plan;
  std::vector<ArenaPool> pools;  ///< as in Program
  std::string unplaced;          ///< of the pools: the tensor that fits into none
};

/// `lowered` is parallel to the graph's nodes, without value where a node has no kernel. `fixed` are the roots (see
/// Aliases) that are no part of the arena: inputs, outputs, states.
Layout lay_out(const Graph& graph, const std::vector<std::optional<NodeLowering>>& lowered, const Aliases& aliases,
               const std::map<TensorId, BufferRef>& fixed, int64_t alignment, const std::vector<PoolLimit>& pools);

}  // namespace qlathe
