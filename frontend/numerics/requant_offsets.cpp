#include "frontend/numerics/requant_offsets.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "frontend/numerics/requant_formula.h"

namespace qlathe::requant {
namespace {

/// Multipliers tried to either side: at the far end of 256 outputs each moves the sum by a float's unit there.
constexpr int kMultipliers = 48;
/// Offsets are `base` and multiples of 2^-20 more or less: an eighth of the unit of the sums that most outputs have.
constexpr double kGrain = 0x1p-20;
constexpr int64_t kFar = int64_t{1} << 40;

/// One multiplier and a grid of offsets.
struct Grid {
  float m;
  double base;

  float offset(int64_t j) const { return static_cast<float>(base + static_cast<double>(j) * kGrain); }
  int64_t value(int64_t acc, int64_t j) const {
    return static_cast<int64_t>(round_half_even(std::fma(static_cast<float>(acc), m, offset(j))));
  }
  /// The least offset whose output at `acc` is at least `wanted`; nothing where it is not near where the line says.
  std::optional<int64_t> least(int64_t acc, int64_t wanted) const {
    const double product = static_cast<double>(static_cast<float>(acc)) * static_cast<double>(m);
    const double guess = (static_cast<double>(wanted) - 0.5 - product - base) / kGrain;
    if (!(std::fabs(guess) < 0x1p30)) return std::nullopt;
    int64_t low = static_cast<int64_t>(guess) - 4, high = low + 8;
    for (int64_t stride = 8; value(acc, low) >= wanted; stride *= 2) {
      if (stride > 4096) return std::nullopt;
      high = low;
      low -= stride;
    }
    for (int64_t stride = 8; value(acc, high) < wanted; stride *= 2) {
      if (stride > 4096) return std::nullopt;
      low = high;
      high += stride;
    }
    while (low + 1 < high) {
      const int64_t middle = low + (high - low) / 2;
      (value(acc, middle) >= wanted ? high : low) = middle;
    }
    return high;
  }
};

/// Offsets [least, most], on the grid.
struct Interval {
  int64_t least = -kFar, most = kFar;

  bool empty() const { return least > most; }
  void cut(const Interval& other) {
    least = std::max(least, other.least);
    most = std::min(most, other.most);
  }
  int64_t middle() const {
    if (least == -kFar && most == kFar) return 0;
    if (least == -kFar) return most;
    return most == kFar ? least : least + (most - least) / 2;
  }
};

/// What a step leaves: at least `at` from its accumulator on, at most `below` before it.
std::optional<Interval> of_step(const Grid& grid, const RequantStep& step) {
  const auto least = grid.least(step.acc, step.at), above = grid.least(step.acc - 1, step.below + 1);
  if (!least || !above) return std::nullopt;
  return Interval{*least, *above - 1};
}

/// The first offsets in order of steps, for as long as they leave any; `next` is the first step that does not.
std::optional<Interval> prefix(const Grid& grid, std::span<const RequantStep> steps, Interval offsets, size_t& next) {
  for (; next < steps.size(); next++) {
    const auto step = of_step(grid, steps[next]);
    if (!step) return std::nullopt;
    Interval cut = offsets;
    cut.cut(*step);
    if (cut.empty()) break;
    offsets = cut;
  }
  return offsets;
}

bool with_multiplier(RequantFormula formula, const RequantSteps& stated, const Grid& grid, RequantConstants& c) {
  Interval low_end, high_end;
  if (stated.at_lo > c.lo) {
    const auto least = grid.least(stated.lo, stated.at_lo);
    if (!least) return false;
    low_end.least = *least;
  }
  if (stated.at_hi < c.hi) {
    const auto above = grid.least(stated.hi, stated.at_hi + 1);
    if (!above) return false;
    high_end.most = *above - 1;
  }
  const int pieces = formula == RequantFormula::kF32Fma ? 1 : formula == RequantFormula::kF32TwoOffsets ? 2 : 3;
  std::vector<float> offsets;
  std::vector<int32_t> starts;
  Interval from = low_end;
  for (size_t next = 0; offsets.empty() || next < stated.steps.size(); from = {}) {
    if (static_cast<int>(offsets.size()) == pieces) return false;
    const size_t first = next;
    auto piece = prefix(grid, stated.steps, from, next);
    if (!piece || (next == first && !stated.steps.empty())) return false;
    if (next == stated.steps.size()) piece->cut(high_end);
    if (piece->empty()) return false;
    offsets.push_back(grid.offset(piece->middle()));
    if (first > 0) starts.push_back(static_cast<int32_t>(stated.steps[first].acc - 1));
  }
  c.m32 = grid.m;
  c.below32 = c.b32 = offsets[0];
  c.split = INT32_MIN;
  c.upper_split = INT32_MAX;
  if (offsets.size() > 1) {
    c.split = starts[0];
    c.b32 = offsets[1];
  }
  c.above32 = c.b32;
  if (offsets.size() > 2) {
    c.upper_split = starts[1];
    c.above32 = offsets[2];
  }
  return true;
}

}  // namespace

bool find_offsets(RequantFormula formula, const RequantSteps& stated, RequantConstants& c, int& moved) {
  const RequantConstants nearest = c;
  const double base = nearest.b32;
  if (std::fabs(base) > 0x1p12) return false;
  for (int i = 0; i <= 2 * kMultipliers; i++) {
    moved = i % 2 != 0 ? (i + 1) / 2 : -(i / 2);
    c = nearest;
    if (!move_multiplier(formula, c, moved)) continue;
    if (with_multiplier(formula, stated, {c.m32, base}, c)) return true;
  }
  return false;
}

}  // namespace qlathe::requant
