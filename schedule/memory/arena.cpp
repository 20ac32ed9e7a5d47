#include "schedule/memory/arena.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "schedule/memory/placement.h"

namespace qlathe {
namespace {

/// Bytes live at each call.
std::vector<int64_t> live_bytes(const std::vector<ArenaRequest>& requests, const Placement& placement) {
  int last = -1;
  for (const ArenaRequest& r : requests)
    last = std::max(last, r.last);
  std::vector<int64_t> live(static_cast<size_t>(last) + 2, 0);
  for (size_t i = 0; i < requests.size(); i++) {
    live[static_cast<size_t>(requests[i].first)] += placement.bytes(i);
    live[static_cast<size_t>(requests[i].last) + 1] -= placement.bytes(i);
  }
  for (size_t c = 1; c < live.size(); c++)
    live[c] += live[c - 1];
  return live;
}

}  // namespace

ArenaPlan plan_arena(const std::vector<ArenaRequest>& requests, int64_t alignment) {
  ArenaPlan best;
  if (requests.empty()) return best;
  Placement placement(requests, alignment);
  const std::vector<int64_t> live = live_bytes(requests, placement);
  const auto peak = std::max_element(live.begin(), live.end());
  best.lower_bound = *peak;
  best.peak = static_cast<int>(peak - live.begin());

  const auto span = [&](size_t i) { return static_cast<int64_t>(requests[i].last - requests[i].first + 1); };
  // Of the busiest call of a buffer's life: the tensors of tight places go first.
  const auto pressure = [&](size_t i) {
    return *std::max_element(live.begin() + requests[i].first, live.begin() + requests[i].last + 1);
  };
  using Before = std::function<bool(size_t, size_t)>;
  const std::pair<const char*, Before> orders[] = {
      {"size", [&](size_t a, size_t b) { return requests[a].bytes > requests[b].bytes; }},
      {"area", [&](size_t a, size_t b) { return requests[a].bytes * span(a) > requests[b].bytes * span(b); }},
      {"lifetime", [&](size_t a, size_t b) { return span(a) > span(b); }},
      {"start", [&](size_t a, size_t b) { return requests[a].first < requests[b].first; }},
      {"pressure",
       [&](size_t a, size_t b) {
         return std::pair(pressure(a), requests[a].bytes) > std::pair(pressure(b), requests[b].bytes);
       }},
  };
  for (const auto& [name, before] : orders) {
    std::vector<size_t> order(requests.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), before);
    for (const Fit fit : {Fit::kFirst, Fit::kBest}) {
      std::vector<int64_t> offsets;
      const int64_t bytes = placement.place(order, fit, offsets);
      if (!best.method.empty() && bytes >= best.bytes) continue;
      best.bytes = bytes;
      best.offsets = std::move(offsets);
      best.method = std::string(fit == Fit::kFirst ? "first" : "best") + " fit by " + name;
      if (best.bytes == best.lower_bound) return best;
    }
  }
  if (requests.size() <= kSearchedBuffers) search_order(placement, best);
  return best;
}

}  // namespace qlathe
