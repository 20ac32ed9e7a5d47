#include "schedule/memory/pools.h"

#include <algorithm>
#include <numeric>

#include "schedule/memory/placement.h"

namespace qlathe {
namespace {

std::vector<ArenaRequest> chosen(const std::vector<ArenaRequest>& requests, const std::vector<size_t>& which) {
  std::vector<ArenaRequest> out;
  for (const size_t i : which)
    out.push_back(requests[i]);
  return out;
}

/// Whether a first fit by size, which plan_arena tries too, keeps the limit.
bool fits(const std::vector<ArenaRequest>& requests, int64_t limit, int64_t alignment) {
  Placement placement(requests, alignment);
  std::vector<size_t> order(requests.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return requests[a].bytes > requests[b].bytes; });
  std::vector<int64_t> offsets;
  return placement.place(order, Fit::kFirst, offsets) <= limit;
}

}  // namespace

PooledPlan plan_pools(const std::vector<ArenaRequest>& requests, const std::vector<int>& uses,
                      const std::vector<PoolLimit>& pools, int64_t alignment) {
  std::vector<size_t> order(requests.size());
  std::iota(order.begin(), order.end(), size_t{0});
  // Accesses of a byte while it is taken: what the room of a fast pool is worth.
  const auto worth = [&](size_t i) {
    return static_cast<double>(uses[i]) / static_cast<double>(requests[i].last - requests[i].first + 1);
  };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(-worth(a), requests[a].bytes) < std::pair(-worth(b), requests[b].bytes);
  });
  PooledPlan plan;
  plan.offsets.assign(requests.size(), 0);
  std::vector<std::vector<size_t>> members(pools.size());
  for (const size_t i : order) {
    bool placed = false;
    for (size_t p = 0; p < pools.size() && !placed; p++) {
      members[p].push_back(i);
      placed = fits(chosen(requests, members[p]), pools[p].bytes, alignment);
      if (!placed) members[p].pop_back();
    }
    if (placed) continue;
    plan.unplaced = static_cast<int>(i);
    return plan;
  }
  int64_t start = 0;
  for (const std::vector<size_t>& in_pool : members) {
    const ArenaPlan part = plan_arena(chosen(requests, in_pool), alignment);
    for (size_t k = 0; k < in_pool.size(); k++)
      plan.offsets[in_pool[k]] = start + part.offsets[k];
    plan.starts.push_back(start);
    plan.bytes.push_back(part.bytes);
    start += (part.bytes + alignment - 1) / alignment * alignment;
  }
  return plan;
}

}  // namespace qlathe
