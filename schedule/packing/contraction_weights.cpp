#include "schedule/packing/contraction_weights.h"

#include <cstring>

namespace qlathe {

int64_t ReductionPlan::positions() const {
  int64_t total = 1;
  for (const ReductionAxis& axis : window)
    total *= axis.extent;
  return total;
}

Shape packed_shape(const ContractionShape& shape, const ContractionTile& tile, const ReductionPlan& plan,
                   ValueType stored) {
  int64_t channels = tile.chunk;
  if (tile.chunk != tile.width()) {
    channels = (tile.chunk + tile.lanes - 1) / tile.lanes * tile.lanes;
    if (plan.packed_steps() > 8 && channels * plan.kr * storage_bytes(stored) % 1024 == 0) channels += tile.lanes;
  }
  const int64_t positions = plan.blocks > 1 ? plan.blocks : plan.positions();
  return {shape.batches * shape.groups_n, tile.chunks, positions, plan.packed_steps(), channels, plan.kr};
}

namespace {

/// Index into the flattened reduction of element `e` (of the run) at window position `p` (row-major) or block `p`.
int64_t flat_index(const ReductionPlan& plan, int64_t p, int64_t e) {
  if (plan.blocks > 1) return p * plan.run + e;
  int64_t flat = e;
  for (size_t a = plan.window.size(); a-- > 0;) {
    flat += p % plan.window[a].extent * plan.window[a].flat_stride;
    p /= plan.window[a].extent;
  }
  return flat;
}

}  // namespace

PackedWeights pack_weights(const HostTensor& rhs, const ContractionShape& shape, const ContractionTile& tile,
                           const ReductionPlan& plan, const WeightStorage& storage,
                           const std::vector<int64_t>* zero_points) {
  const int64_t slices = shape.batches * shape.groups_n;
  const int64_t positions = plan.blocks > 1 ? plan.blocks : plan.positions();
  const int64_t steps = plan.packed_steps();
  const auto element_bytes = static_cast<int64_t>(storage_bytes(storage.type));
  PackedWeights out;
  const Shape extents = packed_shape(shape, tile, plan, storage.type);
  const int64_t channels = extents[4];
  out.constant.type = storage.type;
  out.constant.shape = extents;
  out.constant.bytes.assign(static_cast<size_t>(element_count(extents) * element_bytes), 0);
  const bool packed = plan.parts > 1;
  const bool integers = is_integer(rhs.type());
  if (integers) out.sums.assign(static_cast<size_t>(slices * shape.n * plan.blocks), 0);
  uint8_t* const bytes = out.constant.bytes.data();
  if (packed && storage.offset != 0) {
    // Padding is the element 0, which is stored as the offset.
    uint8_t fill = 0;
    for (int part = 0; part < 8 / storage.bits; part++)
      fill = static_cast<uint8_t>(fill | (storage.offset << (part * storage.bits)));
    std::memset(bytes, fill, out.constant.bytes.size());
  }
  for (int64_t slice = 0; slice < slices; slice++) {
    for (int64_t n = 0; n < shape.n; n++) {
      const int64_t chunk = n / tile.chunk, in_chunk = n % tile.chunk;
      for (int64_t p = 0; p < positions; p++) {
        const int64_t block = plan.blocks > 1 ? p : 0;
        const int64_t zp_index = (slice * shape.n + n) * plan.blocks + block;
        const int64_t zp = zero_points != nullptr ? (*zero_points)[static_cast<size_t>(zp_index)] : 0;
        for (int64_t s = 0; s < plan.steps(); s++) {
          for (int64_t j = 0; j < plan.kr; j++) {
            const int64_t e = plan.start(s, p) + j;
            if (e < s * plan.kr || e >= plan.run) continue;  // counted by the step before, or no element
            const int64_t source = (slice * shape.n + n) * shape.reduction + flat_index(plan, p, e);
            const int64_t at =
                ((((slice * tile.chunks + chunk) * positions + p) * steps + s / plan.parts) * channels + in_chunk) *
                    plan.kr +
                j;
            if (element_bytes > 1 && !packed) {
              std::memcpy(bytes + at * element_bytes, rhs.bytes() + source * element_bytes,
                          static_cast<size_t>(element_bytes));
              if (!out.sums.empty())
                out.sums[static_cast<size_t>(zp_index)] += static_cast<int32_t>(rhs.int_at(source));
              continue;
            }
            int64_t value = (integers ? rhs.int_at(source) : rhs.bytes()[source]) - zp;
            if (plan.bytes > 1) value = byte_of_weight(value, static_cast<int>(p % plan.bytes));
            if (!out.sums.empty()) out.sums[static_cast<size_t>(zp_index)] += static_cast<int32_t>(value);
            const int64_t code = value + storage.offset;
            if (packed) {
              const int bit = static_cast<int>(s % plan.parts) * storage.bits, shift = bit % 8;
              const int mask = ((1 << storage.bits) - 1) << shift;
              uint8_t& byte = bytes[at * element_bytes + bit / 8];
              byte = static_cast<uint8_t>((byte & ~mask) | ((code << shift) & mask));
            } else {
              bytes[at] = static_cast<uint8_t>(code);
            }
          }
        }
      }
    }
  }
  std::string layout = "[c/" + std::to_string(tile.chunk) + "]";
  if (slices > 1) layout = "[slice]" + layout;
  if (plan.blocks > 1) layout += "[block]";
  for (const ReductionAxis& axis : plan.window)
    layout += "[" + axis.name + "]";
  layout += "[k/" + std::to_string(plan.kr * plan.parts) + "][" + std::to_string(channels) + "][" +
            std::to_string(plan.kr) + "]";
  if (packed)
    layout +=
        ", " + std::to_string(plan.parts) + " steps a " + (element_bytes == 1 ? "byte" : "word") + ", low bits first";
  if (storage.offset != 0) layout += ", stored + " + std::to_string(storage.offset);
  if (plan.bytes > 1) layout += ", a weight is the sum of two bytes";
  if (storage.fold_zero_point) layout += ", zero point subtracted";
  if (!plan.exact()) layout += ", zero-padded";
  out.constant.layout = layout;
  return out;
}

}  // namespace qlathe
