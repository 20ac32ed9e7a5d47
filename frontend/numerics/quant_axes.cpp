#include "frontend/numerics/quant_axes.h"

#include <cmath>
#include <cstdio>

namespace qlathe {

int64_t TileSize::on(int64_t extent) const {
  if (!is_fraction) return elements;
  const double tile = std::nearbyint(static_cast<double>(extent) * fraction);
  return std::isfinite(tile) && std::fabs(tile) < 0x1p62 ? static_cast<int64_t>(tile) : 0;
}

std::string TileSize::text() const {
  if (!is_fraction) return std::to_string(elements);
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6g", fraction);
  const std::string out = buffer;
  return out.find_first_of(".en") == std::string::npos ? out + ".0" : out;
}

Result<Shape> tile_shape(const Shape& shape, const HowToQuantize& how) {
  const int rank = static_cast<int>(shape.size());
  const QuantFormat& format = *how.format;
  if (format.tile != 0) {
    const std::string required = std::to_string(format.tile);
    if (how.tiled_axes.empty()) {
      return Status::user({"", "", "tile_size"}, std::string(format.name) + " needs a tiled axis",
                          "set tile_size to " + required + " on an op that can be tiled");
    }
    for (const auto& [axis, tile] : how.tiled_axes) {
      if (!tile.is_fraction && tile.elements == format.tile) continue;
      return Status::user({"", "", "tile_size"},
                          std::string(format.name) + " needs tiles of " + required + ", axis " + std::to_string(axis) +
                              " has " + tile.text(),
                          "set tile_size to " + required);
    }
  }
  Shape tile(shape.size());
  for (size_t d = 0; d < shape.size(); ++d)
    tile[d] = std::max<int64_t>(shape[d], 1);
  for (int axis : how.channelwise_axes) {
    if (axis < 0 || axis >= rank) {
      return Status::user({}, "channelwise axis " + std::to_string(axis) + " of a tensor of shape " + to_string(shape));
    }
    if (how.tiled_axes.count(axis)) {
      return Status::user({}, "axis " + std::to_string(axis) + " is both channelwise and tiled");
    }
    tile[static_cast<size_t>(axis)] = 1;
  }
  for (const auto& [axis, size] : how.tiled_axes) {
    if (axis < 0 || axis >= rank) {
      return Status::user({}, "tiled axis " + std::to_string(axis) + " of a tensor of shape " + to_string(shape));
    }
    const int64_t extent = shape[static_cast<size_t>(axis)];
    const int64_t elements = size.on(extent);
    if (elements <= 0 || extent % elements != 0) {
      return Status::user({"", "", "tile_size"},
                          "tile size " + size.text() +
                              (size.is_fraction ? " (" + std::to_string(elements) + " elements)" : "") +
                              " does not divide axis " + std::to_string(axis) + " of shape " + to_string(shape),
                          "use a divisor of " + std::to_string(extent));
    }
    tile[static_cast<size_t>(axis)] = elements;
  }
  return tile;
}

Shape scale_shape(const Shape& shape, const Shape& tile) {
  QL_CHECK(shape.size() == tile.size(), to_string(shape) + " tiles " + to_string(tile));
  Shape out(shape.size());
  for (size_t d = 0; d < shape.size(); ++d)
    out[d] = shape[d] == 0 && tile[d] == 1 ? 0 : std::max<int64_t>(shape[d] / tile[d], 1);
  return out;
}

Result<Shape> tile_of(const Shape& shape, const Shape& scale) {
  const auto mismatch = [&] {
    return Status::user({},
                        "a scale of shape " + to_string(scale) + " does not fit a tensor of shape " + to_string(shape));
  };
  if (shape.size() != scale.size()) return mismatch();
  Shape tile(shape.size());
  for (size_t d = 0; d < shape.size(); ++d) {
    if (scale[d] <= 0 || shape[d] % scale[d] != 0) return mismatch();
    tile[d] = std::max<int64_t>(shape[d] / scale[d], 1);
  }
  return tile;
}

}  // namespace qlathe
