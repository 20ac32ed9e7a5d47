#include "frontend/ops/tiled_broadcast.h"

#include <algorithm>

namespace qlathe {

std::optional<Shape> common_shape(const std::vector<Shape>& shapes) {
  size_t rank = 0;
  for (const Shape& shape : shapes)
    rank = std::max(rank, shape.size());
  Shape out(rank, 1);
  for (const Shape& shape : shapes) {
    for (size_t d = 0; d < shape.size(); d++) {
      int64_t& extent = out[rank - shape.size() + d];
      extent = extent == 0 || shape[d] == 0 ? 0 : std::max(extent, shape[d]);
    }
  }
  for (const Shape& shape : shapes) {
    if (!broadcasts_to(shape, out)) return std::nullopt;
  }
  return out;
}

bool broadcasts_to(const Shape& from, const Shape& to) {
  if (from.size() > to.size()) return false;
  for (size_t d = 0; d < from.size(); d++) {
    const int64_t p = from[d], n = to[to.size() - from.size() + d];
    if (p == n || p == 1) continue;
    if (p <= 0 || n == 0 || n % p != 0) return false;
  }
  return true;
}

bool broadcasts_plainly_to(const Shape& from, const Shape& to) {
  if (from.size() > to.size()) return false;
  for (size_t d = 0; d < from.size(); d++) {
    if (from[d] != 1 && from[d] != to[to.size() - from.size() + d]) return false;
  }
  return true;
}

BroadcastIndex::BroadcastIndex(const Shape& from, const Shape& to)
    : to_(to), identity_(from == to), single_(element_count(from) == 1) {
  QL_CHECK(broadcasts_to(from, to), to_string(from) + " to " + to_string(to));
  if (identity_ || single_) return;
  const std::vector<int64_t> strides = row_major_strides(from);
  const size_t lead = to.size() - from.size();
  per_axis_.resize(to.size());
  for (size_t d = 0; d < to.size(); d++) {
    per_axis_[d].assign(static_cast<size_t>(to[d]), 0);
    if (d < lead || from[d - lead] <= 1) continue;
    const int64_t tile = to[d] / from[d - lead];
    for (int64_t i = 0; i < to[d]; i++)
      per_axis_[d][static_cast<size_t>(i)] = i / tile * strides[d - lead];
  }
}

int64_t BroadcastIndex::at(int64_t element) const {
  if (identity_) return element;
  if (single_) return 0;
  int64_t index = 0;
  for (size_t d = to_.size(); d-- > 0;) {
    index += per_axis_[d][static_cast<size_t>(element % to_[d])];
    element /= to_[d];
  }
  return index;
}

void BroadcastIndex::fill(int64_t begin, std::span<int64_t> out) const {
  if (identity_ || single_) {
    for (size_t i = 0; i < out.size(); i++)
      out[i] = identity_ ? begin + static_cast<int64_t>(i) : 0;
    return;
  }
  const std::vector<int64_t>& last = per_axis_.back();
  const auto row = static_cast<int64_t>(last.size());
  for (size_t done = 0; done < out.size();) {
    // The rest of the row that `begin` is in.
    const int64_t column = begin % row;
    const auto count = std::min(static_cast<size_t>(row - column), out.size() - done);
    const int64_t base = at(begin - column) - last[0];
    for (size_t i = 0; i < count; i++)
      out[done + i] = base + last[static_cast<size_t>(column) + i];
    done += count;
    begin += static_cast<int64_t>(count);
  }
}

std::vector<int64_t> loop_offsets(const std::vector<Axis>& axes) {
  std::vector<int64_t> out{0};
  for (const Axis& axis : axes) {
    std::vector<int64_t> longer;
    longer.reserve(out.size() * static_cast<size_t>(axis.extent));
    for (int64_t base : out) {
      for (int64_t i = 0; i < axis.extent; i++)
        longer.push_back(base + i * axis.stride);
    }
    out = std::move(longer);
  }
  return out;
}

}  // namespace qlathe
