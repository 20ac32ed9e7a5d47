// .safetensors: 8 bytes with the length of a JSON header, the header, the data. Format as Hugging Face's safetensors
// library states and checks it: tensors may neither overlap nor leave holes.
#include <algorithm>
#include <bit>
#include <cstring>

#include "frontend/formats/arrays/array_file.h"
#include "frontend/formats/atomic_write.h"
#include "frontend/formats/json_reader.h"
#include "frontend/formats/json_writer.h"
#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

constexpr uint64_t kMaxHeaderBytes = uint64_t{16} << 20;
constexpr size_t kMaxRank = 64;
/// Key in "__metadata__" under which the writer keeps the types that the format lacks: "qlathe.type:<tensor>": "int4".
constexpr char kTypeKey[] = "qlathe.type:";

struct SafetensorsType {
  const char* name;
  ValueType type;
  int packed_bits;  // F4 alone has two elements a byte
};

/// The first row of a type is what the writer uses.
constexpr SafetensorsType kTypes[] = {
    {"BOOL", ValueType::kBool, 8},      {"I8", ValueType::kI8, 8},     {"I16", ValueType::kI16, 16},
    {"I32", ValueType::kI32, 32},       {"I64", ValueType::kI64, 64},  {"U8", ValueType::kU8, 8},
    {"U16", ValueType::kU16, 16},       {"U32", ValueType::kU32, 32},  {"F8_E4M3", ValueType::kF8E4M3, 8},
    {"F8_E5M2", ValueType::kF8E5M2, 8}, {"F4", ValueType::kF4E2M1, 4}, {"BF16", ValueType::kBF16, 16},
    {"F16", ValueType::kF16, 16},       {"F32", ValueType::kF32, 32},  {"F64", ValueType::kF64, 64},
};

struct Tensor {
  uint64_t begin = 0, end = 0;  // from the start of the data
  int packed_bits = 0;
  ValueType stored = ValueType::kF32;  // as the file has it, before the metadata's type
};

class SafetensorsFile : public ArrayFile {
 public:
  explicit SafetensorsFile(std::shared_ptr<const ByteSource> source)
      : ArrayFile(source->name()), source_(std::move(source)) {}

  Status init() {
    uint8_t prefix[8];
    QL_RETURN_IF_ERROR(source_->read(0, prefix, sizeof prefix));
    uint64_t length = 0;
    for (int i = 8; i-- > 0;)
      length = (length << 8) | prefix[i];
    if (length > kMaxHeaderBytes) {
      return Status::user({path(), "", ""}, "states a header of " + std::to_string(length) + " bytes; at most " +
                                                std::to_string(kMaxHeaderBytes) + " are read");
    }
    if (length > source_->size() - 8) return Status::user({path(), "", ""}, "ends inside its header");
    std::string text(length, '\0');
    QL_RETURN_IF_ERROR(source_->read(8, text.data(), length));
    data_offset_ = 8 + length;
    QL_ASSIGN(JsonDocument header, parse_json(path() + " (header)", std::move(text)));
    if (!header.root.object()) return Status::user({path(), "", ""}, "has a header that is not a JSON object");
    Status problems;
    for (const JsonValue::Member& member : *header.root.object()) {
      if (member.key != "__metadata__") read_entry(header, member, problems);
    }
    QL_RETURN_IF_ERROR(problems);
    QL_RETURN_IF_ERROR(check_layout());
    return {};
  }

 protected:
  Result<HostTensor> read_at(size_t index) const override {
    const Tensor& tensor = tensors_[index];
    HostTensor out(tensor.stored, arrays()[index].shape);
    if (tensor.packed_bits == 4) {
      // Two elements a byte, the first in the low half.
      std::vector<uint8_t> packed(tensor.end - tensor.begin);
      QL_RETURN_IF_ERROR(source_->read(data_offset_ + tensor.begin, packed.data(), packed.size()));
      for (size_t i = 0; i < out.byte_size(); ++i) {
        out.bytes()[i] = static_cast<uint8_t>(packed[i / 2] >> (i % 2 * 4)) & 0xF;
      }
    } else {
      QL_RETURN_IF_ERROR(source_->read(data_offset_ + tensor.begin, out.bytes(), out.byte_size()));
    }
    if (out.type() == ValueType::kBool) {
      for (uint8_t& value : out.as<uint8_t>())
        value = value != 0;
    }
    return as_value_type(std::move(out), arrays()[index].type);
  }

 private:
  void read_entry(const JsonDocument& header, const JsonValue::Member& member, Status& problems) {
    JsonObject entry(header, member.value, member.key, problems);
    if (!member.value.object()) return;
    const std::string dtype = entry.required_string("dtype");
    ArrayInfo array;
    array.name = member.key;
    array.shape = entry.required_integers("shape", 0);
    const std::vector<int64_t> offsets = entry.required_integers("data_offsets", 0);
    entry.finish();
    if (!entry.ok()) return;
    if (array.shape.size() > kMaxRank) entry.problem("shape", "has more than 64 dimensions");
    if (Status shape = check_shape(array.shape); !shape.ok()) entry.problem("shape", shape.diagnostics()[0].message);
    if (offsets.size() != 2) entry.problem("data_offsets", "expected two numbers");
    if (!entry.ok()) return;

    Tensor tensor;
    tensor.begin = static_cast<uint64_t>(offsets[0]);
    tensor.end = static_cast<uint64_t>(offsets[1]);
    if (tensor.begin > tensor.end || tensor.end > source_->size() - data_offset_) {
      entry.problem("data_offsets", "does not lie within the file's " + std::to_string(source_->size() - data_offset_) +
                                        " bytes of data");
      return;
    }
    const SafetensorsType* row =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const SafetensorsType& t) { return dtype == t.name; });
    if (row == std::end(kTypes)) {
      array.unreadable = "has the type " + in_quotes(dtype) + ", which is not supported";
      array.shape.clear();
    } else {
      tensor.packed_bits = row->packed_bits;
      tensor.stored = array.type = row->type;
      const uint64_t bits = static_cast<uint64_t>(element_count(array.shape)) * static_cast<uint64_t>(row->packed_bits);
      if (bits % 8 != 0 || bits / 8 != tensor.end - tensor.begin) {
        entry.problem("data_offsets", "holds " + std::to_string(tensor.end - tensor.begin) + " bytes where shape " +
                                          to_string(array.shape) + " of " + dtype + " needs " +
                                          std::to_string((bits + 7) / 8));
        return;
      }
      apply_type_name(header, entry, array);
    }
    tensors_.push_back(tensor);
    problems.merge(add(std::move(array)));
  }

  /// The type that this file's writer noted because the format has none for it.
  void apply_type_name(const JsonDocument& header, JsonObject& entry, ArrayInfo& array) {
    const JsonValue* metadata = header.root.find("__metadata__");
    const JsonValue* noted = metadata ? metadata->find(kTypeKey + array.name) : nullptr;
    if (!noted) return;
    const auto type = noted->string() ? parse_value_type(*noted->string()) : std::nullopt;
    if (!type || storage_bytes(*type) != storage_bytes(array.type)) {
      entry.problem_at(*noted, "__metadata__", "names no type that " + std::string(name(array.type)) + " can hold");
      return;
    }
    array.type = *type;
  }

  Status check_layout() const {
    std::vector<size_t> order(tensors_.size());
    for (size_t i = 0; i < order.size(); ++i)
      order[i] = i;
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return std::pair(tensors_[a].begin, tensors_[a].end) < std::pair(tensors_[b].begin, tensors_[b].end);
    });
    uint64_t at = 0;
    for (size_t i : order) {
      if (tensors_[i].begin != at) {
        return Status::user({path(), arrays()[i].name, "data_offsets"},
                            tensors_[i].begin < at ? "overlaps another tensor" : "leaves a hole before it");
      }
      at = tensors_[i].end;
    }
    if (at != source_->size() - data_offset_) {
      return Status::user({path(), "", ""}, "has " + std::to_string(source_->size() - data_offset_ - at) +
                                                " bytes after its last tensor");
    }
    return {};
  }

  std::shared_ptr<const ByteSource> source_;
  uint64_t data_offset_ = 0;
  std::vector<Tensor> tensors_;  // as arrays()
};

ValueType writable_type(ValueType type) {
  for (const SafetensorsType& row : kTypes) {
    if (row.type == type && row.packed_bits >= 8) return type;
  }
  return is_signed(type) ? ValueType::kI8 : ValueType::kU8;
}

}  // namespace

bool sniff_safetensors(const ByteSource& source) {
  // No magic number: a small length, then the brace of the header.
  uint8_t start[9];
  if (source.size() < sizeof start || !source.read(0, start, sizeof start).ok()) return false;
  return start[8] == '{' && start[5] == 0 && start[6] == 0 && start[7] == 0;
}

Result<std::unique_ptr<ArrayFile>> open_safetensors(std::shared_ptr<const ByteSource> source, const ArrayLimits&) {
  auto file = std::make_unique<SafetensorsFile>(std::move(source));
  QL_RETURN_IF_ERROR(file->init());
  return std::unique_ptr<ArrayFile>(std::move(file));
}

Status write_safetensors(const std::string& path, const std::map<std::string, HostTensor>& arrays) {
  std::string metadata, entries;
  // Wider elements first, so that every tensor is aligned to its element size.
  std::vector<const std::pair<const std::string, HostTensor>*> order;
  for (const auto& entry : arrays)
    order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) {
    const int x = storage_bytes(a->second.type()), y = storage_bytes(b->second.type());
    return x != y ? x > y : a->first < b->first;
  });
  uint64_t at = 0;
  for (const auto* entry : order) {
    const auto& [name_of, tensor] = *entry;
    if (name_of == "__metadata__")
      return Status::user({path, name_of, ""}, "is a name that the format keeps for itself");
    const ValueType type = writable_type(tensor.type());
    if (type != tensor.type()) {
      metadata +=
          (metadata.empty() ? "" : ",") + json_string(kTypeKey + name_of) + ":" + json_string(name(tensor.type()));
    }
    const SafetensorsType* row =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const SafetensorsType& t) { return t.type == type; });
    std::string shape;
    for (int64_t extent : tensor.shape())
      shape += (shape.empty() ? "" : ",") + std::to_string(extent);
    entries += (entries.empty() ? "" : ",") + json_string(name_of) + ":{\"dtype\":\"" + row->name + "\",\"shape\":[" +
               shape + "],\"data_offsets\":[" + std::to_string(at) + "," + std::to_string(at + tensor.byte_size()) +
               "]}";
    at += tensor.byte_size();
  }
  if (!metadata.empty()) entries = "\"__metadata__\":{" + metadata + "}" + (entries.empty() ? "" : ",") + entries;
  std::string header = "{" + entries + "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  if (header.size() > kMaxHeaderBytes) return Status::user({path, "", ""}, "has too many tensors for one header");
  std::string prefix;
  for (int i = 0; i < 8; ++i)
    prefix += static_cast<char>((uint64_t{header.size()} >> (8 * i)) & 0xFF);

  QL_ASSIGN(AtomicFile file, AtomicFile::create(path));
  QL_RETURN_IF_ERROR(file.write(prefix + header));
  for (const auto* entry : order)
    QL_RETURN_IF_ERROR(file.write(entry->second.bytes(), entry->second.byte_size()));
  return file.commit();
}

}  // namespace qlathe
