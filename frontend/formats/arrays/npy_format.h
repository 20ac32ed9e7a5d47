#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "frontend/formats/arrays/array_file.h"
#include "frontend/ir/tensor.h"

namespace qlathe {

// The .npy format as NumPy's documentation of numpy.lib.format states it, versions 1.0 to 3.0.

/// What the header of an .npy says.
struct NpyHeader {
  ArrayInfo array;  // name empty
  bool big_endian = false;
  bool fortran = false;     // first index fastest
  bool unsigned64 = false;  // uint64, which is read as int64
  uint64_t data_offset = 0;
  uint64_t data_bytes = 0;  // element count × element size; set where the array is readable
};

/// Hands out bytes [offset, offset + n) of the array's own file or archive member, or an error.
using NpyFetch = std::function<Status(uint64_t offset, void* to, uint64_t n)>;

/// Reads and checks the header; `total` is the size of the file or member, which must be exactly header plus data.
Result<NpyHeader> read_npy_header(const NpyFetch& fetch, uint64_t total);
/// The values, row-major and in the byte order of this machine.
Result<HostTensor> read_npy_data(const NpyHeader& header, const NpyFetch& fetch);

/// The bytes before the data: version 1.0, or 2.0 where the shape needs it; padded so that the data starts at a
/// multiple of 64.
std::string encode_npy_header(const HostTensor& tensor);

}  // namespace qlathe
