#include "frontend/formats/onnx/model_file.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx.pb.h>

#include <bit>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <limits>

#include "frontend/formats/onnx/onnx.h"
#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

constexpr uint64_t kMaxModelBytes = uint64_t{2} << 30;  // protobuf's own limit of a message
constexpr int kMaxNesting = 64;
constexpr uint64_t kMaxTensorBytes = uint64_t{16} << 30;

Status damaged(const onnx::TensorProto& proto, std::string message) {
  return Status::user({"", proto.name(), "data"}, std::move(message), "the file is damaged; export the model again");
}

/// Bytes of the elements as the file packs them.
uint64_t packed_bytes(ValueType type, uint64_t count) {
  return (count * static_cast<uint64_t>(info(type).packed_bits) + 7) / 8;
}

/// Elements of two or four bits, the first in the low bits of a byte.
void unpack(const uint8_t* from, ValueType type, HostTensor& out) {
  const int bits = info(type).packed_bits, per_byte = 8 / bits;
  const int sign = is_signed(type) ? 1 << (bits - 1) : 0;
  uint8_t* to = out.bytes();
  for (int64_t i = 0; i < out.size(); i++) {
    const int code = from[i / per_byte] >> (i % per_byte * bits) & ((1 << bits) - 1);
    to[i] = static_cast<uint8_t>((code ^ sign) - sign);
  }
}

Status from_bytes(const onnx::TensorProto& proto, const std::string& bytes, HostTensor& out) {
  const uint64_t expected = packed_bytes(out.type(), static_cast<uint64_t>(out.size()));
  if (bytes.size() != expected) {
    return damaged(proto, "has " + std::to_string(bytes.size()) + " bytes of data, shape " + to_string(out.shape()) +
                              " of " + name(out.type()) + " needs " + std::to_string(expected));
  }
  if (info(out.type()).packed_bits < 8) {
    unpack(reinterpret_cast<const uint8_t*>(bytes.data()), out.type(), out);
  } else if (!bytes.empty()) {
    std::memcpy(out.bytes(), bytes.data(), bytes.size());
  }
  if (out.type() == ValueType::kBool) {
    for (int64_t i = 0; i < out.size(); i++)
      out.bytes()[i] = out.bytes()[i] != 0;
  }
  return {};
}

template <class T, class Values>
Status copy_values(const onnx::TensorProto& proto, const Values& values, HostTensor& out) {
  if (values.size() != out.size()) {
    return damaged(proto, "has " + std::to_string(values.size()) + " values, shape " + to_string(out.shape()) +
                              " needs " + std::to_string(out.size()));
  }
  auto to = out.as<T>();
  for (int i = 0; i < values.size(); i++)
    to[static_cast<size_t>(i)] = static_cast<T>(values.Get(i));
  return {};
}

/// The typed fields that small tensors use in place of raw_data.
Status from_fields(const onnx::TensorProto& proto, HostTensor& out) {
  switch (out.type()) {
    case ValueType::kF32:
      return copy_values<float>(proto, proto.float_data(), out);
    case ValueType::kF64:
      return copy_values<double>(proto, proto.double_data(), out);
    case ValueType::kI64:
      if (proto.data_type() == onnx::TensorProto::UINT64) return copy_values<uint64_t>(proto, proto.uint64_data(), out);
      return copy_values<int64_t>(proto, proto.int64_data(), out);
    case ValueType::kU32:
      return copy_values<uint32_t>(proto, proto.uint64_data(), out);
    case ValueType::kI32:
      return copy_values<int32_t>(proto, proto.int32_data(), out);
    case ValueType::kI16:
    case ValueType::kU16:
    case ValueType::kF16:
    case ValueType::kBF16:
      return copy_values<uint16_t>(proto, proto.int32_data(), out);
    default:
      break;
  }
  if (info(out.type()).packed_bits == 8 || out.type() == ValueType::kBool) {
    return copy_values<uint8_t>(proto, proto.int32_data(), out);
  }
  std::string bytes;
  for (int value : proto.int32_data())
    bytes.push_back(static_cast<char>(value));
  return from_bytes(proto, bytes, out);
}

std::optional<uint64_t> parse_size(const std::string& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<ValueType> onnx_type(int data_type) {
  using T = onnx::TensorProto;
  switch (data_type) {
    case T::FLOAT:
      return ValueType::kF32;
    case T::UINT8:
      return ValueType::kU8;
    case T::INT8:
      return ValueType::kI8;
    case T::UINT16:
      return ValueType::kU16;
    case T::INT16:
      return ValueType::kI16;
    case T::INT32:
      return ValueType::kI32;
    case T::INT64:
    case T::UINT64:  // values below 2^63
      return ValueType::kI64;
    case T::BOOL:
      return ValueType::kBool;
    case T::FLOAT16:
      return ValueType::kF16;
    case T::DOUBLE:
      return ValueType::kF64;
    case T::UINT32:
      return ValueType::kU32;
    case T::BFLOAT16:
      return ValueType::kBF16;
    case T::FLOAT8E4M3FN:
      return ValueType::kF8E4M3;
    case T::FLOAT8E5M2:
      return ValueType::kF8E5M2;
    case T::UINT4:
      return ValueType::kU4;
    case T::INT4:
      return ValueType::kI4;
    case T::FLOAT4E2M1:
      return ValueType::kF4E2M1;
    case T::UINT2:
      return ValueType::kU2;
    case T::INT2:
      return ValueType::kI2;
    default:
      return std::nullopt;
  }
}

std::string onnx_type_name(int data_type) {
  if (!onnx::TensorProto::DataType_IsValid(data_type)) return "type " + std::to_string(data_type);
  return onnx::TensorProto::DataType_Name(static_cast<onnx::TensorProto::DataType>(data_type));
}

Result<std::string> OnnxTensors::external_bytes(const onnx::TensorProto& proto, uint64_t expected) {
  std::string location;
  uint64_t offset = 0, length = expected;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() != "offset" && entry.key() != "length") continue;
    const auto size = parse_size(entry.value());
    if (!size) return damaged(proto, "has the external " + entry.key() + " " + in_quotes(entry.value()));
    (entry.key() == "offset" ? offset : length) = *size;
  }
  // The file must lie below the model's folder: a model from elsewhere must not read what is none of its business.
  const std::filesystem::path relative(location);
  bool inside = !location.empty() && relative.is_relative();
  for (const auto& part : relative)
    inside = inside && part != "..";
  if (!inside) {
    return Status::user({"", proto.name(), "external_data"}, "names the file " + in_quotes(location),
                        "external data must lie below the folder of the model");
  }
  if (length != expected) {
    return damaged(proto, "names " + std::to_string(length) + " external bytes, needs " + std::to_string(expected));
  }
  auto& file = files_[location];
  if (!file) {
    const auto folder = std::filesystem::absolute(model_path_).parent_path();
    std::error_code error;
    const auto real = std::filesystem::weakly_canonical(folder / relative, error);
    const auto root = std::filesystem::weakly_canonical(folder, error);
    const auto beyond = std::mismatch(root.begin(), root.end(), real.begin(), real.end()).first;
    if (error || beyond != root.end()) {
      return Status::user({"", proto.name(), "external_data"}, "leads outside the folder of the model",
                          "external data must lie below it, links included");
    }
    auto opened = open_file((folder / relative).string());
    if (!opened.ok()) {
      return Status::user({(folder / relative).string(), proto.name(), "external_data"}, "cannot be read",
                          "the weights lie in a file of their own; copy it beside the model");
    }
    file = std::move(*opened);
  }
  if (offset > file->size() || length > file->size() - offset) {
    return Status::user({file->name(), proto.name(), "external_data"},
                        "lies at bytes " + std::to_string(offset) + " to " + std::to_string(offset + length) +
                            " of a file of " + std::to_string(file->size()),
                        "the external data is truncated; copy it again");
  }
  std::string bytes(length, '\0');
  QL_RETURN_IF_ERROR(file->read(offset, bytes.data(), length));
  return bytes;
}

Result<HostTensor> OnnxTensors::read(const onnx::TensorProto& proto) {
  QL_ASSIGN(HostTensor out, read_elements(proto));
  if (proto.data_type() == onnx::TensorProto::UINT64) {
    for (int64_t value : out.as<int64_t>()) {
      if (value < 0) {
        return Status::unsupported({"", proto.name(), "data"}, "holds uint64 values of 2^63 and more",
                                   "uint64 is computed as int64; cast it in the model");
      }
    }
  }
  return out;
}

Result<HostTensor> OnnxTensors::read_elements(const onnx::TensorProto& proto) {
  const auto type = onnx_type(proto.data_type());
  if (!type) {
    return Status::unsupported({"", proto.name(), "data_type"},
                               "tensors of " + onnx_type_name(proto.data_type()) + " are not supported");
  }
  Shape shape(proto.dims().begin(), proto.dims().end());
  QL_RETURN_IF_ERROR(check_shape(shape).at({"", proto.name(), "dims"}));
  // Memory is asked for only where the file really has the bytes.
  const auto count = static_cast<uint64_t>(element_count(shape));
  const uint64_t expected = packed_bytes(*type, count);
  if (expected > kMaxTensorBytes) return damaged(proto, "of shape " + to_string(shape) + " is too large");
  if (proto.data_location() == onnx::TensorProto::EXTERNAL) {
    QL_ASSIGN(const std::string bytes, external_bytes(proto, expected));
    HostTensor out(*type, shape);
    QL_RETURN_IF_ERROR(from_bytes(proto, bytes, out));
    return out;
  }
  const auto fields = static_cast<uint64_t>(proto.float_data_size()) + static_cast<uint64_t>(proto.int32_data_size()) +
                      static_cast<uint64_t>(proto.int64_data_size()) + static_cast<uint64_t>(proto.double_data_size()) +
                      static_cast<uint64_t>(proto.uint64_data_size());
  if (proto.has_raw_data() ? proto.raw_data().size() != expected : fields * 4 < count) {
    return damaged(proto, "has " + std::to_string(proto.has_raw_data() ? proto.raw_data().size() : fields) +
                              (proto.has_raw_data() ? " bytes" : " values") + " of data, shape " + to_string(shape) +
                              " of " + name(*type) + " needs " +
                              std::to_string(proto.has_raw_data() ? expected : count));
  }
  HostTensor out(*type, shape);
  QL_RETURN_IF_ERROR(proto.has_raw_data() ? from_bytes(proto, proto.raw_data(), out) : from_fields(proto, out));
  return out;
}

Result<std::unique_ptr<onnx::ModelProto>> load_onnx_model(const std::string& path) {
  QL_ASSIGN(const std::string bytes, read_whole_file(path, kMaxModelBytes));
  return parse_onnx_model(path, bytes);
}

Result<std::unique_ptr<onnx::ModelProto>> parse_onnx_model(const std::string& path, const std::string& bytes) {
  auto model = std::make_unique<onnx::ModelProto>();
  google::protobuf::io::ArrayInputStream array(
      bytes.data(), static_cast<int>(std::min<size_t>(bytes.size(), std::numeric_limits<int>::max())));
  google::protobuf::io::CodedInputStream stream(&array);
  stream.SetTotalBytesLimit(std::numeric_limits<int>::max());
  stream.SetRecursionLimit(kMaxNesting);
  if (!model->ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    return Status::user({path, "", ""}, "is no ONNX model, or a damaged one: its bytes are no valid protobuf message",
                        "export the model again; onnx.checker.check_model tells more");
  }
  if (!model->has_graph()) {
    return Status::user({path, "", "graph"}, "is missing", "the file holds no ONNX model; export it again");
  }
  return model;
}

bool looks_like_onnx(const std::string& path) {
  const auto file = open_file(path);
  uint8_t head[2] = {};
  if (!file.ok() || (*file)->size() < 8 || !(*file)->read(0, head, 2).ok()) return false;
  // Field 1, a varint, is ir_version in every file that is written; a few writers put another field of ModelProto
  // first.
  const int field = head[0] >> 3, wire = head[0] & 7;
  return (field == 1 && wire == 0 && head[1] < 64) ||
         ((field == 2 || field == 3 || field == 7 || field == 8) && wire == 2);
}

}  // namespace qlathe
