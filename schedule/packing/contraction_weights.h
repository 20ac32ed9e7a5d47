#pragma once
/// Constant right operands of contractions, laid out the way the kernel streams through them.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "schedule/lower/contraction_shape.h"
#include "schedule/tiling/contraction_tile.h"

namespace qlathe {

/// How the reduction runs: for every window position (or block of the flattened reduction) `steps` steps of `kr`
/// elements, the last one shifted inwards so that it ends with the run: its weights are zero where it overlaps the one
/// before.
struct ReductionPlan {
  std::vector<ReductionAxis> window;
  int64_t blocks = 1;   ///< of the flattened reduction; with more than one, `window` is empty
  int64_t run = 1;      ///< elements a window position or block
  bool decode = false;  ///< blocks cut across window positions: a position is recovered from the flattened index
  int kr = 1;           ///< elements multiplied at once
  int bytes = 1;        ///< that add up to a weight; with 2 the innermost axis of `window` is over them
  int parts = 1;        ///< steps that share a byte (2 for 4-bit weights, 4 for 2-bit ones), or a word (8, 16)

  int64_t steps() const { return (run + kr - 1) / kr; }
  int64_t packed_steps() const { return (steps() + parts - 1) / parts; }
  int64_t positions() const;  ///< of the window, times `bytes`
  /// Products a result element.
  int64_t products() const { return run * positions() / bytes; }
  /// Weights become sums of two bytes: one more axis, along which lhs stays where it is.
  void add_byte_axis() {
    bytes = 2;
    window.push_back({"byte", 2, 0, 0});
  }
  /// A run shorter than a step hangs over: at the first position of the outermost window axis it begins the step, at
  /// the others it ends it, so that nothing beyond the operand is read.
  bool overhang() const { return run < kr && !window.empty(); }
  /// First element of step s at window position p (row-major).
  int64_t start(int64_t s, int64_t p) const {
    if (overhang() && p < positions() / window[0].extent) return 0;
    return s * kr + kr <= run ? s * kr : run - kr;
  }
  bool exact() const { return run % kr == 0 && steps() % parts == 0; }
};

/// One of the bytes that add up to a weight between -256 and 254.
inline int8_t byte_of_weight(int64_t weight, int byte) {
  const int64_t first = std::clamp<int64_t>(weight, INT8_MIN, INT8_MAX);
  return static_cast<int8_t>(byte == 0 ? first : weight - first);
}
/// How many bytes the weights in [lo, hi] are stored as: 1 or 2; 0 where two are not enough.
inline int bytes_of_weights(int64_t lo, int64_t hi) {
  if (lo >= INT8_MIN && hi <= INT8_MAX) return 1;
  return lo >= 2 * INT8_MIN && hi <= 2 * INT8_MAX ? 2 : 0;
}

/// What is stored for an element: code = element + offset - (fold: its zero point), or one of its bytes.
struct WeightStorage {
  ValueType type = ValueType::kI8;  ///< of a stored byte or word
  int bits = 8;                     ///< of an element: 4 and 2 are packed, low bits first
  int64_t offset = 0;               ///< added before storing
  bool fold_zero_point = false;     ///< the zero point was subtracted: the kernel sees none
};

struct PackedWeights {
  PackedConstant constant;
  std::vector<int32_t> sums;  ///< [slice][n][blocks]: sums of the stored elements, less the offset (integers only)
};

/// Extents of the packed array: [slice][chunk][window position or block][step / parts][channel][kr]. The channels of a
/// chunk are padded to a multiple of the lanes, and such that a row is no multiple of 1 KB, lest the rows of a tall
/// panel fall into the same cache sets.
Shape packed_shape(const ContractionShape& shape, const ContractionTile& tile, const ReductionPlan& plan,
                   ValueType stored);

/// rhs: [B, G, N, k0.., K]. zero_points: null, or one per [slice][n][block] flattened when storage.fold_zero_point.
PackedWeights pack_weights(const HostTensor& rhs, const ContractionShape& shape, const ContractionTile& tile,
                           const ReductionPlan& plan, const WeightStorage& storage,
                           const std::vector<int64_t>* zero_points);

}  // namespace qlathe
