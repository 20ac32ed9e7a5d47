#include "schedule/memory/arena.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace qlathe {
namespace {

int64_t align_up(int64_t value, int64_t alignment) { return (value + alignment - 1) / alignment * alignment; }

bool overlap(const ArenaRequest& a, const ArenaRequest& b) { return a.first <= b.last && b.first <= a.last; }

/// Places the requests in `order`, each at the lowest gap between the already placed ones that are live with it.
ArenaPlan first_fit(const std::vector<ArenaRequest>& requests, const std::vector<size_t>& order, int64_t alignment) {
  ArenaPlan plan;
  plan.offsets.assign(requests.size(), 0);
  std::vector<size_t> placed;
  for (const size_t i : order) {
    std::vector<std::pair<int64_t, int64_t>> taken;  // [begin, end) of neighbours in time
    for (const size_t j : placed) {
      if (overlap(requests[i], requests[j])) taken.emplace_back(plan.offsets[j], plan.offsets[j] + requests[j].bytes);
    }
    std::sort(taken.begin(), taken.end());
    int64_t at = 0;
    for (const auto& [begin, end] : taken) {
      if (at + requests[i].bytes <= begin) break;
      at = std::max(at, align_up(end, alignment));
    }
    plan.offsets[i] = at;
    plan.bytes = std::max(plan.bytes, at + requests[i].bytes);
    placed.push_back(i);
  }
  return plan;
}

int64_t lower_bound(const std::vector<ArenaRequest>& requests, int64_t alignment) {
  int last = 0;
  for (const ArenaRequest& r : requests)
    last = std::max(last, r.last);
  std::vector<int64_t> change(static_cast<size_t>(last) + 2, 0);
  for (const ArenaRequest& r : requests) {
    change[static_cast<size_t>(r.first)] += align_up(r.bytes, alignment);
    change[static_cast<size_t>(r.last) + 1] -= align_up(r.bytes, alignment);
  }
  int64_t live = 0, most = 0;
  for (const int64_t delta : change)
    most = std::max(most, live += delta);
  return most;
}

}  // namespace

ArenaPlan plan_arena(const std::vector<ArenaRequest>& requests, int64_t alignment) {
  const auto span = [&](size_t i) { return static_cast<int64_t>(requests[i].last - requests[i].first + 1); };
  using Before = std::function<bool(size_t, size_t)>;
  const Before orders[] = {
      [&](size_t a, size_t b) { return requests[a].bytes > requests[b].bytes; },
      [&](size_t a, size_t b) { return requests[a].bytes * span(a) > requests[b].bytes * span(b); },
      [&](size_t a, size_t b) { return span(a) > span(b); },
      [&](size_t a, size_t b) { return requests[a].first < requests[b].first; },
  };
  ArenaPlan best;
  bool first = true;
  for (const Before& before : orders) {
    std::vector<size_t> order(requests.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), before);
    ArenaPlan plan = first_fit(requests, order, alignment);
    if (first || plan.bytes < best.bytes) best = std::move(plan);
    first = false;
  }
  best.bytes = align_up(best.bytes, alignment);
  best.lower_bound = lower_bound(requests, alignment);
  return best;
}

}  // namespace qlathe
