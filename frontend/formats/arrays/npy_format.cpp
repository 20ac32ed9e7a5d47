#include "frontend/formats/arrays/npy_format.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "frontend/formats/arrays/npy_header_text.h"
#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

constexpr char kMagic[] = "\x93NUMPY";
constexpr uint64_t kMagicBytes = 6;
/// NumPy itself refuses headers above 10000 bytes unless told to trust the file.
constexpr uint32_t kMaxHeaderBytes = 1 << 16;
static_assert(std::endian::native == std::endian::little, "the readers swap big-endian data only");

struct NpyType {
  const char* code;  // descr without its byte order
  ValueType type;
};

/// The first row of a type is what the writer uses.
constexpr NpyType kTypes[] = {
    {"b1", ValueType::kBool},
    {"i1", ValueType::kI8},
    {"i2", ValueType::kI16},
    {"i4", ValueType::kI32},
    {"i8", ValueType::kI64},
    {"u8", ValueType::kI64},  // values below 2^63
    {"u1", ValueType::kU8},
    {"u2", ValueType::kU16},
    {"u4", ValueType::kU32},
    {"f2", ValueType::kF16},
    {"f4", ValueType::kF32},
    {"f8", ValueType::kF64},
    {"V2", ValueType::kBF16},  // ml_dtypes: a void of two
                               // bytes is how NumPy names its
                               // bfloat16
    {"bfloat16", ValueType::kBF16},
};

/// Fills in type and byte order, or the reason why the array cannot be read.
void resolve_type(const std::string& descr, NpyHeader& header) {
  const bool has_order = !descr.empty() && std::strchr("<>=|", descr[0]);
  header.big_endian = descr[0] == '>';
  const std::string code = has_order ? descr.substr(1) : descr;
  for (const NpyType& row : kTypes) {
    if (code == row.code) {
      header.array.type = row.type;
      header.unsigned64 = code == "u8";
      return;
    }
  }
  header.array.unreadable = "has the type " + in_quotes(descr) + ", which is not supported";
  if (code == "V1") {
    header.array.unreadable +=
        ": NumPy writes every 8-bit type of ml_dtypes so; save it as uint8 codes or in a .safetensors file";
  }
  if (code == "O") header.array.unreadable = "holds Python objects; save it as a plain numeric array";
}

ValueType stored_type(ValueType type) {
  if (info(type).storage_bytes != 1 || type == ValueType::kBool) return type;
  return is_signed(type) ? ValueType::kI8 : ValueType::kU8;
}

void swap_bytes(uint8_t* bytes, size_t n, size_t width) {
  for (size_t i = 0; i + width <= n; i += width)
    std::reverse(bytes + i, bytes + i + width);
}

/// out, row-major, from `in` with the first index fastest. Walks `out` in order and keeps the offset into `in`.
void from_fortran(const uint8_t* in, uint8_t* out, const Shape& shape, size_t width) {
  const size_t rank = shape.size();
  std::vector<size_t> stride(rank, width), index(rank, 0);
  for (size_t d = 1; d < rank; ++d)
    stride[d] = stride[d - 1] * static_cast<size_t>(shape[d - 1]);
  const auto count = static_cast<size_t>(element_count(shape));
  size_t from = 0;
  for (size_t i = 0; i < count; ++i) {
    std::memcpy(out + i * width, in + from, width);
    for (size_t d = rank; d-- > 0;) {
      from += stride[d];
      if (++index[d] < static_cast<size_t>(shape[d])) break;
      from -= stride[d] * index[d];
      index[d] = 0;
    }
  }
}

}  // namespace

Result<NpyHeader> read_npy_header(const NpyFetch& fetch, uint64_t total) {
  std::array<uint8_t, 12> start = {};
  constexpr uint64_t kPrefix = 10;
  if (total >= kPrefix) QL_RETURN_IF_ERROR(fetch(0, start.data(), kPrefix));
  if (std::memcmp(start.data(), kMagic, kMagicBytes) != 0) return Status::user({}, "is not an .npy array");
  const int major = start[6], minor = start[7];
  if (major < 1 || major > 3 || minor != 0) {
    return Status::user({}, "has the .npy version " + std::to_string(major) + "." + std::to_string(minor) +
                                "; known are 1.0, 2.0 and 3.0");
  }
  const uint64_t prefix = major == 1 ? kPrefix : kPrefix + 2;
  if (total < prefix) return Status::user({}, "ends inside its header");
  QL_RETURN_IF_ERROR(fetch(kPrefix, start.data() + kPrefix, prefix - kPrefix));
  uint64_t length = start[8] | (uint64_t{start[9]} << 8);
  if (major > 1) length |= (uint64_t{start[10]} << 16) | (uint64_t{start[11]} << 24);
  if (length > kMaxHeaderBytes) {
    return Status::user({}, "has a header of " + std::to_string(length) + " bytes; at most " +
                                std::to_string(kMaxHeaderBytes) + " are read");
  }
  if (length > total - prefix) return Status::user({}, "ends inside its header");
  std::string text(length, '\0');
  QL_RETURN_IF_ERROR(fetch(prefix, text.data(), length));
  QL_ASSIGN(const NpyHeaderText fields, parse_npy_header_text(text));

  NpyHeader header;
  header.fortran = fields.fortran_order;
  header.data_offset = prefix + length;
  if (fields.structured) {
    header.array.unreadable = "has a structured type; save each field as an array of its own";
    return header;
  }
  resolve_type(fields.descr, header);
  if (!header.array.unreadable.empty()) return header;
  header.array.shape = fields.shape;
  QL_RETURN_IF_ERROR(check_shape(header.array.shape));
  // At most 2^40 elements of 8 bytes: no overflow.
  header.data_bytes = static_cast<uint64_t>(element_count(header.array.shape)) *
                      static_cast<uint64_t>(storage_bytes(header.array.type));
  const uint64_t there = total - header.data_offset;
  if (header.data_bytes != there) {
    return Status::user({}, "has " + std::to_string(there) + " bytes of data where shape " +
                                to_string(header.array.shape) + " of " + name(header.array.type) + " needs " +
                                std::to_string(header.data_bytes));
  }
  return header;
}

Result<HostTensor> read_npy_data(const NpyHeader& header, const NpyFetch& fetch) {
  HostTensor tensor(header.array.type, header.array.shape);
  const auto width = static_cast<size_t>(storage_bytes(tensor.type()));
  if (header.fortran && tensor.rank() > 1) {
    std::vector<uint8_t> column_major(tensor.byte_size());
    QL_RETURN_IF_ERROR(fetch(header.data_offset, column_major.data(), column_major.size()));
    from_fortran(column_major.data(), tensor.bytes(), tensor.shape(), width);
  } else {
    QL_RETURN_IF_ERROR(fetch(header.data_offset, tensor.bytes(), tensor.byte_size()));
  }
  if (header.big_endian) swap_bytes(tensor.bytes(), tensor.byte_size(), width);
  if (header.unsigned64) {
    for (int64_t value : tensor.as<int64_t>()) {
      if (value < 0) return Status::unsupported({}, "holds uint64 values of 2^63 and more", "convert it to int64");
    }
  }
  if (tensor.type() == ValueType::kBool) {
    for (uint8_t& value : tensor.as<uint8_t>())
      value = value != 0;
  }
  return tensor;
}

std::string encode_npy_header(const HostTensor& tensor) {
  const ValueType type = stored_type(tensor.type());
  const NpyType* row =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const NpyType& t) { return t.type == type; });
  QL_CHECK(row != std::end(kTypes), name(type));
  std::string text = std::string("{'descr': '") + (storage_bytes(type) == 1 ? "|" : "<") + row->code +
                     "', 'fortran_order': False, 'shape': (";
  for (int64_t extent : tensor.shape())
    text += std::to_string(extent) + ", ";
  if (tensor.rank() > 1) text.resize(text.size() - 2);
  if (tensor.rank() == 1) text.resize(text.size() - 1);
  text += "), }";
  const bool long_header = text.size() + 64 > 0xFFFF;
  const size_t prefix = long_header ? 12 : 10;
  text.append(63 - (prefix + text.size()) % 64, ' ');
  text += '\n';
  std::string out(kMagic, kMagicBytes);
  out += long_header ? '\2' : '\1';
  out += '\0';
  for (size_t i = 0; i < prefix - 8; ++i)
    out += static_cast<char>((text.size() >> (8 * i)) & 0xFF);
  return out + text;
}

}  // namespace qlathe
