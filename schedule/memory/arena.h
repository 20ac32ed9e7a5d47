#pragma once
#include <cstdint>
#include <string>
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
  int peak = 0;                  ///< the first call at which that many bytes are live
  std::string method;            ///< what found the plan: "first fit by size", "best fit by start", "search", …
};

/// Offsets such that buffers that are live at the same time do not overlap, all multiples of `alignment`. Takes the
/// best of first-fit and best-fit placements in several orders. Where none reaches the lower bound and there are at
/// most kSearchedBuffers buffers, improves the best by a search with a fixed number of steps. The result depends on the
/// requests alone.
ArenaPlan plan_arena(const std::vector<ArenaRequest>& requests, int64_t alignment);

inline constexpr size_t kSearchedBuffers = 400;

}  // namespace qlathe
