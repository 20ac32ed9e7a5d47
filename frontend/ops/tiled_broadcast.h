#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "frontend/ir/tensor.h"

namespace qlathe {

/// Tiled broadcasting (see PointwiseStep): shapes align at the last axis, and along an axis of n elements an operand's
/// extent p divides n; element i uses index i / (n / p).

/// The smallest shape that all of them broadcast to, or nothing.
std::optional<Shape> common_shape(const std::vector<Shape>& shapes);
bool broadcasts_to(const Shape& from, const Shape& to);
/// As numpy has it: every extent is 1 or full.
bool broadcasts_plainly_to(const Shape& from, const Shape& to);

/// Finds the operand's element for each element of the result.
class BroadcastIndex {
 public:
  BroadcastIndex(const Shape& from, const Shape& to);
  /// Row-major index into the operand for result elements begin, begin + 1, ...
  void fill(int64_t begin, std::span<int64_t> out) const;
  int64_t at(int64_t element) const;

 private:
  Shape to_;
  /// per_axis_[d][i]: what index i of axis d adds to the operand's index
  std::vector<std::vector<int64_t>> per_axis_;
  bool identity_ = false, single_ = false;
};

/// One loop axis over a buffer.
struct Axis {
  int64_t extent;
  int64_t stride;
};
/// Offsets of all positions of nested loops, the last one innermost.
std::vector<int64_t> loop_offsets(const std::vector<Axis>& axes);

}  // namespace qlathe
