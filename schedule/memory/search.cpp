#include <algorithm>
#include <numeric>

#include "schedule/memory/placement.h"

namespace qlathe {
namespace {

/// Comparisons of one search: less than half a second.
constexpr int64_t kSearchWork = 60'000'000;

/// A fixed sequence, the same on every machine (Knuth's MMIX constants).
class Sequence {
 public:
  size_t below(size_t limit) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>((state_ >> 33) % limit);
  }

 private:
  uint64_t state_ = 1;
};

/// How good a placement is: its end, then how many buffers reach it.
struct Cost {
  int64_t end = 0, at_end = 0;
  friend auto operator<=>(const Cost&, const Cost&) = default;
};

}  // namespace

// First fit in the order of the offsets of an optimal plan gives an optimal plan, so some order does. From the best
// known order, a buffer that reaches the top (or one that holds it up) goes in front of one that it meets; changes that
// are not worse are kept.
void search_order(Placement& placement, ArenaPlan& plan) {
  const size_t n = placement.size();
  std::vector<size_t> order(n), best_order;
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return plan.offsets[a] < plan.offsets[b]; });
  std::vector<int64_t> offsets;
  const auto cost_of = [&](int64_t end) {
    Cost cost{end, 0};
    for (size_t i = 0; i < n; i++)
      cost.at_end += offsets[i] + placement.bytes(i) == end;
    return cost;
  };
  Cost current = cost_of(placement.place(order, Fit::kFirst, offsets)), best = current;
  best_order = order;
  std::vector<int64_t> current_offsets = offsets;
  Sequence random;
  int64_t since_better = 0;
  const int64_t rounds = kSearchWork / placement.work();
  for (int64_t round = 0; round < rounds && best.end > plan.lower_bound; round++) {
    // A buffer at the top, or one that it meets.
    std::vector<size_t> top;
    for (size_t i = 0; i < n; i++) {
      if (current_offsets[i] + placement.bytes(i) == current.end) top.push_back(i);
    }
    size_t moved = top[random.below(top.size())];
    const std::vector<size_t>& around = placement.neighbours(moved);
    if (around.empty()) break;  // it alone is the largest: the lower bound
    if (random.below(3) == 0) moved = around[random.below(around.size())];
    const std::vector<size_t>& meets = placement.neighbours(moved);
    const size_t other = meets[random.below(meets.size())];
    std::vector<size_t> next = order;
    const auto from = std::find(next.begin(), next.end(), moved);
    const auto to = std::find(next.begin(), next.end(), other);
    if (random.below(2) == 0)
      std::iter_swap(from, to);
    else if (from < to)
      std::rotate(from, from + 1, to + 1);
    else
      std::rotate(to, from, from + 1);
    const Cost cost = cost_of(placement.place(next, Fit::kFirst, offsets));
    if (cost <= current) {
      order = std::move(next);
      current = cost;
      current_offsets = offsets;
    }
    if (current < best) {
      best = current;
      best_order = order;
      since_better = 0;
    } else if (++since_better > 2000) {
      // Stuck: a few changes at random, from the best order.
      order = best_order;
      for (int i = 0; i < 3; i++)
        std::swap(order[random.below(n)], order[random.below(n)]);
      current = cost_of(placement.place(order, Fit::kFirst, offsets));
      current_offsets = offsets;
      since_better = 0;
    }
  }
  if (best.end >= plan.bytes) return;
  plan.bytes = placement.place(best_order, Fit::kFirst, plan.offsets);
  plan.method = "search";
}

}  // namespace qlathe
