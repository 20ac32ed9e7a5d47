#include "frontend/passes/operand_shape.h"

#include <algorithm>

namespace qlathe {
namespace {

/// An axis of `before` and one of `after` cut into common factors. Each factor axis has an extent and the operand's
/// extent along it, which divides it.
struct Factor {
  int64_t extent, own;
};

/// Cuts one axis of `extent` elements, along which the operand has `own` values, into factor axes of the given extents
/// (outermost first, product = extent). Nothing if a tile does not fit the cuts.
bool cut(int64_t extent, int64_t own, const std::vector<int64_t>& extents, std::vector<Factor>& out) {
  int64_t tile = extent / own;  // neighbouring elements that share a value
  std::vector<Factor> inner_first;
  for (size_t i = extents.size(); i-- > 0;) {
    const int64_t e = extents[i];
    if (tile % e == 0) {
      inner_first.push_back({e, 1});
      tile /= e;
    } else if (e % tile == 0) {
      inner_first.push_back({e, e / tile});
      tile = 1;
    } else {
      return false;
    }
  }
  out.insert(out.end(), inner_first.rbegin(), inner_first.rend());
  return true;
}

/// Joins factor axes into one: outer ones full, then at most one in part, then ones that do not vary.
std::optional<int64_t> join(const std::vector<Factor>& factors) {
  int64_t own = 1;
  bool ended = false;
  for (const Factor& f : factors) {
    if (f.extent == 1) continue;
    if (ended && f.own != 1) return std::nullopt;
    own *= f.own;
    ended = ended || f.own != f.extent;
  }
  return own;
}

/// The common factors of two shapes of equal size, for each axis of both. False if the cuts cross.
bool common_factors(const Shape& a, const Shape& b, std::vector<std::vector<int64_t>>& of_a,
                    std::vector<std::vector<int64_t>>& of_b) {
  of_a.assign(a.size(), {});
  of_b.assign(b.size(), {});
  size_t i = 0, j = 0;
  int64_t rest_a = 1, rest_b = 1;  // of the current axes, outer factors first
  const auto next = [](const Shape& shape, size_t& at, int64_t& rest) {
    while (rest == 1 && at < shape.size())
      rest = shape[at++];
  };
  while (true) {
    next(a, i, rest_a);
    next(b, j, rest_b);
    if (rest_a == 1 || rest_b == 1) return rest_a == rest_b;
    const int64_t factor = std::min(rest_a, rest_b);
    if (rest_a % factor != 0 || rest_b % factor != 0) return false;
    of_a[i - 1].push_back(factor);
    of_b[j - 1].push_back(factor);
    rest_a /= factor;
    rest_b /= factor;
  }
}

}  // namespace

std::optional<Shape> reshape_operand(const Shape& operand, const Shape& before, const Shape& after) {
  if (element_count(operand) == 1) return Shape(after.size(), 1);
  if (operand == before) return after;
  if (element_count(before) == 0 || operand.size() > before.size()) return std::nullopt;
  Shape own(before.size() - operand.size(), 1);
  own.insert(own.end(), operand.begin(), operand.end());
  std::vector<std::vector<int64_t>> before_extents, after_extents;
  if (!common_factors(before, after, before_extents, after_extents)) return std::nullopt;
  std::vector<Factor> factors;
  for (size_t d = 0; d < before.size(); d++) {
    if (!cut(before[d], own[d], before_extents[d], factors)) return std::nullopt;
  }
  Shape out;
  size_t at = 0;
  for (const std::vector<int64_t>& extents : after_extents) {
    const auto first = factors.begin() + static_cast<int64_t>(at);
    at += extents.size();
    const auto joined = join({first, factors.begin() + static_cast<int64_t>(at)});
    if (!joined) return std::nullopt;
    out.push_back(*joined);
  }
  return out;
}

}  // namespace qlathe
