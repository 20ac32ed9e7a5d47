#include "tests/rules/onnx_initializers.h"

#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>

// Protocol buffers on the wire: (number << 3 | kind) varints; kind 0 is a varint, 2 a length and bytes, 1 and 5 fixed.
// onnx.proto: ModelProto.graph 7, GraphProto.initializer 5, TensorProto dims 1, data_type 2, name 8, raw_data 9.

namespace qlathe::testing {
namespace {

struct Field {
  uint64_t number = 0;
  uint64_t value = 0;
  std::string_view bytes;
};

class Message {
 public:
  explicit Message(std::string_view bytes) : rest_(bytes) {}

  bool next(Field& field) {
    if (rest_.empty()) return false;
    const uint64_t key = varint();
    field = {key >> 3, 0, {}};
    switch (key & 7) {
      case 0:
        field.value = varint();
        return true;
      case 1:
        field.bytes = take(8);
        return true;
      case 2:
        field.bytes = take(varint());
        return true;
      case 5:
        field.bytes = take(4);
        return true;
      default:
        throw std::runtime_error("unknown wire type");
    }
  }

 private:
  std::string_view take(uint64_t n) {
    if (n > rest_.size()) throw std::runtime_error("truncated message");
    const std::string_view out = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return out;
  }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= static_cast<uint64_t>(byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw std::runtime_error("varint too long");
  }

  std::string_view rest_;
};

void read_tensor(std::string_view bytes, std::map<std::string, HostTensor>& out) {
  std::string name;
  Shape shape;
  uint64_t type = 0;
  std::string_view raw;
  Message message(bytes);
  for (Field f; message.next(f);) {
    if (f.number == 1) shape.push_back(static_cast<int64_t>(f.value));
    if (f.number == 2) type = f.value;
    if (f.number == 8) name = f.bytes;
    if (f.number == 9) raw = f.bytes;
  }
  const std::map<uint64_t, ValueType> types = {
      {1, ValueType::kF32}, {2, ValueType::kU8}, {3, ValueType::kI8}, {6, ValueType::kI32}};
  const auto known = types.find(type);
  if (known == types.end()) return;
  HostTensor tensor(known->second, shape);
  if (tensor.byte_size() != raw.size()) return;
  std::memcpy(tensor.bytes(), raw.data(), raw.size());
  out.emplace(name, std::move(tensor));
}

}  // namespace

std::map<std::string, HostTensor> onnx_initializers(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  std::map<std::string, HostTensor> out;
  Message model(text);
  for (Field f; model.next(f);) {
    if (f.number != 7) continue;
    Message graph(f.bytes);
    for (Field g; graph.next(g);)
      if (g.number == 5) read_tensor(g.bytes, out);
  }
  if (out.empty()) throw std::runtime_error(file.string() + " has no initializers");
  return out;
}

}  // namespace qlathe::testing
