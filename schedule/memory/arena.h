#pragma once
#include <cstdint>
#include <vector>

namespace qlathe {

/// A buffer to be placed: live from call `first` to call `last`, both inclusive.
struct ArenaRequest {
  int64_t bytes = 0;
  int first = 0, last = 0;
};

struct ArenaPlan {
  std::vector<int64_t> offsets;  ///< one per request
  int64_t bytes = 0;             ///< end of the highest buffer
  int64_t lower_bound = 0;       ///< largest sum of (aligned) bytes live at one call: no plan can be smaller
};

/// Offsets such that buffers that are live at the same time do not overlap, all multiples of `alignment`. Takes the
/// best of several orders of first-fit placement (by size, by lifetime x size, by start); the result depends on the
/// requests alone.
ArenaPlan plan_arena(const std::vector<ArenaRequest>& requests, int64_t alignment);

}  // namespace qlathe
