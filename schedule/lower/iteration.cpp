#include "schedule/lower/iteration.h"

#include <algorithm>
#include <set>

namespace qlathe {
namespace {

/// Splits axis d into factors along which every operand is complete or 1. Empty where the tilings do not nest.
Shape nested_factors(int64_t n, const std::vector<Shape>& operands, size_t d) {
  std::set<int64_t> steps;
  for (const Shape& s : operands) {
    if (s[d] > 1) steps.insert(s[d]);
  }
  steps.insert(n);
  Shape factors;
  int64_t before = 1;
  for (const int64_t p : steps) {
    if (p % before != 0) return {};
    factors.push_back(p / before);
    before = p;
  }
  return factors;
}

void split_axes(const Shape& result, const std::vector<Shape>& operands, IterationSpace& space) {
  for (size_t d = 0; d < result.size(); d++) {
    Shape factors = nested_factors(result[d], operands, d);
    const bool nested = !factors.empty();
    if (!nested) factors = {result[d]};
    for (size_t o = 0; o < operands.size(); o++) {
      int64_t left = operands[o][d];
      for (const int64_t factor : factors) {
        space.operands[o].push_back(nested ? (left > 1 ? factor : 1) : left);
        if (nested && left > 1) left /= factor;
      }
    }
    space.extents.insert(space.extents.end(), factors.begin(), factors.end());
  }
}

IterationSpace merge_axes(const IterationSpace& from) {
  IterationSpace to;
  to.operands.resize(from.operands.size());
  for (size_t d = 0; d < from.extents.size(); d++) {
    if (from.extents[d] == 1) continue;
    bool adjacent = !to.extents.empty();
    for (size_t o = 0; adjacent && o < from.operands.size(); o++) {
      const int64_t before = to.operands[o].back(), here = from.operands[o][d];
      adjacent = (before == to.extents.back() && here == from.extents[d]) || (before == 1 && here == 1);
    }
    if (!adjacent) to.extents.push_back(1);
    to.extents.back() *= from.extents[d];
    for (size_t o = 0; o < from.operands.size(); o++) {
      if (adjacent)
        to.operands[o].back() *= from.operands[o][d];
      else
        to.operands[o].push_back(from.operands[o][d]);
    }
  }
  if (to.extents.empty()) {
    to.extents.push_back(1);
    for (Shape& s : to.operands)
      s.push_back(1);
  }
  return to;
}

}  // namespace

IterationSpace iteration_space(const Shape& result, const std::vector<Shape>& operands) {
  IterationSpace split;
  split.operands.resize(operands.size());
  split_axes(result, operands, split);
  return merge_axes(split);
}

int64_t row_length(int64_t n, int64_t lanes, int64_t most) {
  for (int64_t length = most / lanes * lanes; length >= lanes; length -= lanes) {
    if (n % length == 0) return length;
  }
  return 0;
}

int vector_lanes(int lanes, int64_t extent) {
  int out = 1;
  while (out * 2 <= lanes && out * 2 <= extent)
    out *= 2;
  return out;
}

}  // namespace qlathe
