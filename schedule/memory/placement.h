#pragma once
/// Placement of buffers one after the other in a given order: the step that heuristics and search share.
#include <utility>
#include <vector>

#include "schedule/memory/arena.h"

namespace qlathe {

enum class Fit {
  kFirst,  ///< the lowest gap that is large enough
  kBest    ///< the smallest one
};

class Placement {
 public:
  Placement(const std::vector<ArenaRequest>& requests, int64_t alignment);

  size_t size() const { return bytes_.size(); }
  /// Places every buffer as `order` (a permutation) says; the end of the highest one.
  int64_t place(const std::vector<size_t>& order, Fit fit, std::vector<int64_t>& offsets);
  /// Buffers that are live at the same time as `i`.
  const std::vector<size_t>& neighbours(size_t i) const { return neighbours_[i]; }
  int64_t bytes(size_t i) const { return bytes_[i]; }  ///< a multiple of the alignment
  /// Comparisons that placing all buffers once takes, about.
  int64_t work() const { return work_; }

 private:
  std::vector<int64_t> bytes_;
  std::vector<std::vector<size_t>> neighbours_;
  std::vector<std::pair<int64_t, int64_t>> taken_;
  int64_t work_ = 1;
};

/// Improves `plan` (whose offsets are multiples of the alignment) by trying other orders until it reaches
/// plan.lower_bound or a fixed number of steps is done.
void search_order(Placement& placement, ArenaPlan& plan);

}  // namespace qlathe
