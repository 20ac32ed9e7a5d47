#include "schedule/memory/placement.h"

#include <algorithm>

namespace qlathe {

Placement::Placement(const std::vector<ArenaRequest>& requests, int64_t alignment) : neighbours_(requests.size()) {
  for (const ArenaRequest& r : requests)
    bytes_.push_back((r.bytes + alignment - 1) / alignment * alignment);
  // By start: a buffer meets those that began before it and have not ended.
  std::vector<size_t> by_start(requests.size()), live;
  for (size_t i = 0; i < by_start.size(); i++)
    by_start[i] = i;
  std::stable_sort(by_start.begin(), by_start.end(),
                   [&](size_t a, size_t b) { return requests[a].first < requests[b].first; });
  for (const size_t i : by_start) {
    std::erase_if(live, [&](size_t j) { return requests[j].last < requests[i].first; });
    for (const size_t j : live) {
      neighbours_[i].push_back(j);
      neighbours_[j].push_back(i);
    }
    live.push_back(i);
  }
  for (const auto& list : neighbours_)
    work_ += static_cast<int64_t>(list.size()) + 1;
}

int64_t Placement::place(const std::vector<size_t>& order, Fit fit, std::vector<int64_t>& offsets) {
  offsets.assign(size(), -1);
  int64_t end = 0;
  for (const size_t i : order) {
    taken_.clear();
    for (const size_t j : neighbours_[i]) {
      if (offsets[j] >= 0) taken_.emplace_back(offsets[j], offsets[j] + bytes_[j]);
    }
    std::sort(taken_.begin(), taken_.end());
    int64_t at = 0, best = -1, best_gap = 0;
    for (const auto& [begin, next] : taken_) {
      const int64_t gap = begin - at;
      if (gap >= bytes_[i] && (best < 0 || gap < best_gap)) {
        best = at;
        best_gap = gap;
        if (fit == Fit::kFirst) break;
      }
      at = std::max(at, next);
    }
    offsets[i] = best >= 0 ? best : at;
    end = std::max(end, offsets[i] + bytes_[i]);
  }
  return end;
}

}  // namespace qlathe
