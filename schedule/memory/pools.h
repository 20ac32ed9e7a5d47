#pragma once
/// The arena in several memories: a fast one that is small, a large one that is slow.
#include <string>
#include <vector>

#include "schedule/memory/arena.h"

namespace qlathe {

/// A memory that a run may use.
struct PoolLimit {
  std::string name;  ///< a C identifier
  int64_t bytes = 0;
};

struct PooledPlan {
  std::vector<int64_t> offsets;  ///< one per request, from the start of the first pool
  std::vector<int64_t> starts;   ///< one per pool: where it begins, the pools lying one behind the other
  std::vector<int64_t> bytes;    ///< one per pool: what it is used for
  int unplaced = -1;             ///< the first request that fits into no pool; the plan is not one then
};

/// Gives each buffer a pool, and offsets in it as plan_arena does. Buffers that many calls touch in a short life go
/// into the first pool that has room, as long as there is room. `uses`: calls that touch each buffer.
PooledPlan plan_pools(const std::vector<ArenaRequest>& requests, const std::vector<int>& uses,
                      const std::vector<PoolLimit>& pools, int64_t alignment);

}  // namespace qlathe
