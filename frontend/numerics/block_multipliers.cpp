#include "frontend/numerics/block_multipliers.h"

#include <algorithm>
#include <cmath>

namespace qlathe {
namespace {

constexpr float kLargestMultiplier = 255;

/// The channel of a block, both as row-major indices: the scale's shape without its tiled axis.
struct Channels {
  int64_t blocks, inner, count;
  Channels(const Shape& scale, int axis) : blocks(scale[static_cast<size_t>(axis)]), inner(1) {
    for (size_t d = static_cast<size_t>(axis) + 1; d < scale.size(); d++)
      inner *= scale[d];
    count = blocks == 0 ? 0 : element_count(scale) / blocks;
  }
  size_t of(int64_t block) const { return static_cast<size_t>(block / (blocks * inner) * inner + block % inner); }
};

}  // namespace

Result<BlockQuantizedTensor> quantize_block_int(const HostTensor& x, const HowToQuantize& how) {
  QL_CHECK(how.tiled_axes.size() == 1 && !how.method.asymmetric() && !how.method.per_tensor(), how.format->name);
  const int axis = how.tiled_axes.begin()->first;
  QL_ASSIGN(const Statistics statistics, calibrate(x, how));
  QL_ASSIGN(const ScaleZeroPoint blocks, compute_scale_zero_point(statistics, *how.format));
  const Shape shape = blocks.scale.shape();
  Shape channel_shape = shape;
  channel_shape[static_cast<size_t>(axis)] = 1;
  const Channels channels(shape, axis);

  std::vector<float> s(blocks.scale.as<float>().begin(), blocks.scale.as<float>().end());
  const auto absmax = statistics.absmax->as<float>();
  const float smallest = smallest_scale(x.type());
  std::vector<float> most(static_cast<size_t>(channels.count), 0.0f);
  for (size_t b = 0; b < s.size(); b++) {
    if (!(absmax[b] / how.format->bound >= smallest)) s[b] = 0;
    float& m = most[channels.of(static_cast<int64_t>(b))];
    m = std::max(m, s[b]);
  }
  BlockQuantizedTensor out{
      how.format, {}, HostTensor(ValueType::kU8, shape), HostTensor(ValueType::kF32, channel_shape)};
  for (int64_t c = 0; c < channels.count; c++) {
    const float scale = most[static_cast<size_t>(c)] / kLargestMultiplier;
    out.scale.as<float>()[static_cast<size_t>(c)] = scale > 0 ? scale : 1.0f;
  }
  HostTensor effective(ValueType::kF32, shape);
  for (size_t b = 0; b < s.size(); b++) {
    const float scale = out.scale.as<float>()[channels.of(static_cast<int64_t>(b))];
    const float multiplier = s[b] == 0 ? 1.0f : std::clamp(std::ceil(s[b] / scale), 1.0f, kLargestMultiplier);
    out.multiplier.set_int(static_cast<int64_t>(b), static_cast<int64_t>(multiplier));
    effective.as<float>()[b] = multiplier * scale;
  }
  QL_ASSIGN(out.values, quantize(x, *how.format, effective, nullptr));
  return out;
}

int64_t largest_multiplied_sum(const BlockQuantizedTensor& weight, int tiled_axis) {
  const Shape &shape = weight.values.shape(), &blocks = weight.multiplier.shape();
  const Channels channels(blocks, tiled_axis);
  Shape tile;
  for (size_t d = 0; d < shape.size(); d++)
    tile.push_back(blocks[d] == 0 ? 1 : shape[d] / blocks[d]);
  std::vector<int64_t> sums(static_cast<size_t>(channels.count), 0);
  for_each_element(shape, tile, [&](int64_t element, int64_t block) {
    sums[channels.of(block)] += std::abs(weight.values.int_at(element)) * weight.multiplier.int_at(block);
  });
  return sums.empty() ? 0 : *std::max_element(sums.begin(), sums.end());
}

}  // namespace qlathe
