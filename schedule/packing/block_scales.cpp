#include "schedule/packing/block_scales.h"

#include <cstring>

namespace qlathe {

PackedConstant pack_block_scales(const HostTensor& values, const ContractionShape& shape, const ContractionTile& tile,
                                 int64_t blocks) {
  const Shape& from = values.shape();
  const size_t rank = from.size();
  std::vector<int64_t> strides = row_major_strides(from);
  for (size_t d = 0; d < rank; d++) {
    if (from[d] == 1) strides[d] = 0;
  }
  PackedConstant out;
  out.type = values.type();
  out.shape = {shape.batches * shape.groups_n, tile.chunks, blocks, tile.chunk};
  const auto bytes = static_cast<size_t>(storage_bytes(values.type()));
  out.bytes.resize(static_cast<size_t>(element_count(out.shape)) * bytes);
  uint8_t* to = out.bytes.data();
  for (int64_t slice = 0; slice < out.shape[0]; slice++) {
    const int64_t b = slice / shape.groups_n, g = slice % shape.groups_n;
    for (int64_t chunk = 0; chunk < tile.chunks; chunk++) {
      for (int64_t block = 0; block < blocks; block++) {
        for (int64_t n = 0; n < tile.chunk; n++, to += bytes) {
          const int64_t at = block * strides[0] + b * strides[1] + g * strides[rank - 2] +
                             (chunk * tile.chunk + n) * strides[rank - 1];
          std::memcpy(to, values.bytes() + static_cast<size_t>(at) * bytes, bytes);
        }
      }
    }
  }
  out.layout = std::string(out.shape[0] > 1 ? "[slice]" : "") + "[c/" + std::to_string(tile.chunk) + "][block][" +
               std::to_string(tile.chunk) + "]";
  return out;
}

}  // namespace qlathe
