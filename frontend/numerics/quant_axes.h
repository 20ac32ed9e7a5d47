#pragma once
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "frontend/ir/tensor.h"
#include "frontend/numerics/calibration_method.h"
#include "frontend/numerics/quant_format.h"

namespace qlathe {

/// A rule's `tile_size`: a number of elements, or a fraction of the axis. The integer 1 means one scale per index,
/// the fraction 1.0 one scale for the whole axis.
struct TileSize {
  bool is_fraction = false;
  int64_t elements = 0;
  double fraction = 0;

  static TileSize of(int64_t n) { return {false, n, 0}; }
  static TileSize of_axis(double f) { return {true, 0, f}; }
  /// Elements of one tile on an axis of `extent`: n, or round(extent * f) with halves to even. May not divide it.
  int64_t on(int64_t extent) const;
  std::string text() const;

  friend bool operator==(const TileSize&, const TileSize&) = default;
};

/// How one tensor is quantized (HowToQuantize in qarray.py). Axes that are neither channelwise nor tiled share a scale.
struct HowToQuantize {
  const QuantFormat* format = nullptr;
  CalibrationMethod method;
  std::vector<int> channelwise_axes;
  std::map<int, TileSize> tiled_axes;
};

/// Tile of every axis: 1 where channelwise, the tile size where tiled, the extent where shared (1 for an empty axis).
/// scale.shape[d] = shape[d] / tile[d]. `fixed` calibration does not change it: its scale is one element and
/// broadcasts. Errors: an axis out of range or both channelwise and tiled, a tile that does not divide the axis, mxfp8,
/// mxfp4 and nvfp4 without a tiled axis or with another tile size than theirs.
Result<Shape> tile_shape(const Shape& shape, const HowToQuantize& how);

/// shape[d] / tile[d].
Shape scale_shape(const Shape& shape, const Shape& tile);

/// Tile that a scale of `scale` shape has on a tensor of `shape`: the reverse of scale_shape. Error if it does not
/// divide evenly.
Result<Shape> tile_of(const Shape& shape, const Shape& scale);

/// Calls f(element, group) for every element of a row-major tensor in order; group = row-major index of its scale.
template <class F>
void for_each_element(const Shape& shape, const Shape& tile, F&& f) {
  const size_t rank = shape.size();
  if (rank == 0) return f(int64_t{0}, int64_t{0});
  if (element_count(shape) == 0) return;
  const std::vector<int64_t> scale_strides = row_major_strides(scale_shape(shape, tile));
  const int64_t columns = shape[rank - 1];
  const int64_t last_tile = tile[rank - 1];
  std::vector<int64_t> index(rank, 0);
  int64_t element = 0;
  while (true) {
    int64_t base = 0;
    for (size_t d = 0; d + 1 < rank; ++d)
      base += index[d] / tile[d] * scale_strides[d];
    for (int64_t column = 0, group = base; column < columns; ++group) {
      for (const int64_t end = std::min(column + last_tile, columns); column < end; ++column)
        f(element++, group);
    }
    size_t d = rank - 1;
    while (d-- > 0) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
    if (d == static_cast<size_t>(-1)) return;
  }
}

}  // namespace qlathe
