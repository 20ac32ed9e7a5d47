#include "frontend/formats/tflite/model_file.h"

#include <tflite_schema_generated.h>

#include <cstring>
#include <fstream>

#include "frontend/formats/byte_source.h"
#include "frontend/formats/tflite/tflite.h"

namespace qlathe {
namespace {

constexpr uint64_t kMaxModelBytes = uint64_t{16} << 30;
constexpr const char* kDamaged = "the file is damaged; convert the model again";

template <class Table>
size_t count(const flatbuffers::Vector<Table>* list) {
  return list == nullptr ? 0 : list->size();
}

/// Elements of two or four bits, the first in the low bits of a byte.
void unpack(const uint8_t* from, HostTensor& out) {
  const int bits = info(out.type()).packed_bits, per_byte = 8 / bits;
  const int sign = is_signed(out.type()) ? 1 << (bits - 1) : 0;
  for (int64_t i = 0; i < out.size(); i++) {
    const int code = from[i / per_byte] >> (i % per_byte * bits) & ((1 << bits) - 1);
    out.bytes()[i] = static_cast<uint8_t>((code ^ sign) - sign);
  }
}

uint64_t packed_bytes(ValueType type, int64_t elements) {
  const auto bits = static_cast<uint64_t>(type == ValueType::kBool ? 8 : info(type).packed_bits);
  return (static_cast<uint64_t>(elements) * bits + 7) / 8;
}

Status damaged(const tflite::Tensor& tensor, std::string message) {
  return Status::user({"", tflite_name(tensor), "data"}, std::move(message), kDamaged);
}

}  // namespace

std::optional<ValueType> tflite_type(int type) {
  using T = tflite::TensorType;
  switch (static_cast<T>(type)) {
    case T::FLOAT32:
      return ValueType::kF32;
    case T::FLOAT16:
      return ValueType::kF16;
    case T::BFLOAT16:
      return ValueType::kBF16;
    case T::FLOAT64:
      return ValueType::kF64;
    case T::INT2:
      return ValueType::kI2;
    case T::INT4:
      return ValueType::kI4;
    case T::UINT4:
      return ValueType::kU4;
    case T::INT8:
      return ValueType::kI8;
    case T::UINT8:
      return ValueType::kU8;
    case T::INT16:
      return ValueType::kI16;
    case T::UINT16:
      return ValueType::kU16;
    case T::INT32:
      return ValueType::kI32;
    case T::UINT32:
      return ValueType::kU32;
    case T::INT64:
      return ValueType::kI64;
    case T::BOOL:
      return ValueType::kBool;
    case T::FLOAT8_E4M3FN:
      return ValueType::kF8E4M3;
    case T::FLOAT8_E5M2:
      return ValueType::kF8E5M2;
    default:
      return std::nullopt;
  }
}

std::string tflite_type_name(int type) {
  const char* known = tflite::EnumNameTensorType(static_cast<tflite::TensorType>(type));
  return known == nullptr || *known == '\0' ? "type " + std::to_string(type) : known;
}

std::string tflite_name(const tflite::Tensor& tensor) {
  return tensor.name() == nullptr ? std::string() : tensor.name()->str();
}

std::string tflite_input_name(const tflite::Tensor& tensor, size_t i) {
  const std::string name = tflite_name(tensor);
  return name.empty() ? "input" + std::to_string(i) : name;
}

Shape tflite_shape(const tflite::Tensor& tensor) {
  return tensor.shape() == nullptr ? Shape() : Shape(tensor.shape()->begin(), tensor.shape()->end());
}

std::string TfliteFile::op_name(const tflite::Operator& op) const {
  const auto* code = model_->operator_codes()->Get(op.opcode_index());
  // Old files hold the number in a byte; 127 there says that the wide field counts.
  const int number = std::max<int>(code->deprecated_builtin_code(), static_cast<int>(code->builtin_code()));
  if (number == static_cast<int>(tflite::BuiltinOperator::CUSTOM))
    return code->custom_code() == nullptr ? "custom operator" : code->custom_code()->str();
  const char* known = tflite::EnumNameBuiltinOperator(static_cast<tflite::BuiltinOperator>(number));
  return number < 0 || *known == '\0' ? "operator " + std::to_string(number) : known;
}

Status TfliteFile::check(const std::string& path) const {
  const auto refuse = [&](const std::string& where, const std::string& what) {
    return Status::user({path, where, ""}, what, kDamaged);
  };
  if (model_->version() != 3)
    return refuse("version", "is " + std::to_string(model_->version()) + "; version 3 is supported");
  const auto* subgraphs = model_->subgraphs();
  if (count(subgraphs) == 0) return refuse("", "the model has no subgraphs");
  const size_t buffers = count(model_->buffers()), codes = count(model_->operator_codes());
  for (uint32_t b = 0; b < buffers; b++) {
    const auto* buffer = model_->buffers()->Get(b);
    if (buffer->offset() <= 1) continue;
    if (buffer->offset() > bytes_.size() || buffer->size() > bytes_.size() - buffer->offset())
      return refuse("buffer " + std::to_string(b), "lies outside of the file");
  }
  for (uint32_t g = 0; g < subgraphs->size(); g++) {
    const auto* subgraph = subgraphs->Get(g);
    const std::string where = "subgraph " + std::to_string(g);
    const auto tensors = static_cast<int64_t>(count(subgraph->tensors()));
    for (uint32_t t = 0; t < tensors; t++) {
      const auto* tensor = subgraph->tensors()->Get(t);
      if (tensor->buffer() >= buffers && tensor->buffer() != 0) {
        return refuse(where + " tensor " + std::to_string(t),
                      "refers to buffer " + std::to_string(tensor->buffer()) + " of " + std::to_string(buffers));
      }
    }
    const auto indices_fit = [&](const flatbuffers::Vector<int32_t>* list, bool optional) {
      for (size_t i = 0; i < count(list); i++) {
        const int32_t at = list->Get(static_cast<uint32_t>(i));
        if (at >= tensors || at < (optional ? -1 : 0)) return false;
      }
      return true;
    };
    if (!indices_fit(subgraph->inputs(), false) || !indices_fit(subgraph->outputs(), false))
      return refuse(where, "names an input or output that is no tensor of " + std::to_string(tensors));
    for (size_t o = 0; o < count(subgraph->operators()); o++) {
      const auto* op = subgraph->operators()->Get(static_cast<uint32_t>(o));
      const std::string place = where + " operator " + std::to_string(o);
      if (op->opcode_index() >= codes) {
        return refuse(place,
                      "has operator code " + std::to_string(op->opcode_index()) + " of " + std::to_string(codes));
      }
      if (!indices_fit(op->inputs(), true) || !indices_fit(op->outputs(), true) ||
          !indices_fit(op->intermediates(), true)) {
        return refuse(place + " (" + op_name(*op) + ")",
                      "refers to a tensor that is none of the subgraph's " + std::to_string(tensors));
      }
    }
  }
  return {};
}

Result<std::shared_ptr<const TfliteFile>> TfliteFile::parse(const std::string& path, std::string bytes) {
  auto file = std::make_shared<TfliteFile>();
  file->bytes_ = std::move(bytes);
  const auto* data = reinterpret_cast<const uint8_t*>(file->bytes_.data());
  const size_t in_tables = std::min<size_t>(file->bytes_.size(), FLATBUFFERS_MAX_BUFFER_SIZE - 1);
  if (file->bytes_.size() < 8 || !tflite::ModelBufferHasIdentifier(data)) {
    return Status::user({path, "", ""}, "is no TFLite model: the identifier TFL3 is missing",
                        "give a .tflite file, whole");
  }
  flatbuffers::Verifier verifier(data, in_tables, 64, 10'000'000);
  if (!tflite::VerifyModelBuffer(verifier)) {
    return Status::user({path, "", ""}, "a table, vector or string of the flatbuffer lies outside of the file",
                        "the file is truncated or damaged; convert the model again");
  }
  file->model_ = tflite::GetModel(data);
  QL_RETURN_IF_ERROR(file->check(path));
  return std::shared_ptr<const TfliteFile>(std::move(file));
}

Result<std::shared_ptr<const TfliteFile>> TfliteFile::load(const std::string& path) {
  QL_ASSIGN(std::string bytes, read_whole_file(path, kMaxModelBytes));
  return parse(path, std::move(bytes));
}

TfliteFile::Bytes TfliteFile::data_of(const tflite::Tensor& tensor) const {
  if (tensor.buffer() == 0 || tensor.buffer() >= count(model_->buffers())) return {};
  const auto* buffer = model_->buffers()->Get(tensor.buffer());
  if (buffer->offset() > 1) return {reinterpret_cast<const uint8_t*>(bytes_.data()) + buffer->offset(), buffer->size()};
  if (buffer->data() == nullptr) return {};
  return {buffer->data()->data(), buffer->data()->size()};
}

bool TfliteFile::has_data(const tflite::Tensor& tensor) const {
  const Bytes bytes = data_of(tensor);
  if (bytes.begin == nullptr) return false;
  // An empty buffer stands for "no value", but also for constants without elements.
  if (bytes.size > 0) return true;
  const Shape shape = tflite_shape(tensor);
  return std::find(shape.begin(), shape.end(), 0) != shape.end();
}

Result<HostTensor> TfliteFile::read(const tflite::Tensor& tensor) const {
  const auto type = tflite_type(static_cast<int>(tensor.type()));
  if (!type) {
    return Status::unsupported(
        {"", tflite_name(tensor), "type"},
        "tensors of " + tflite_type_name(static_cast<int>(tensor.type())) + " are not supported");
  }
  const Shape shape = tflite_shape(tensor);
  QL_RETURN_IF_ERROR(check_shape(shape));
  if (tensor.sparsity() != nullptr) return read_sparse(tensor, *type, shape);
  const Bytes bytes = data_of(tensor);
  const uint64_t expected = packed_bytes(*type, element_count(shape));
  if (bytes.size != expected) {
    return damaged(tensor, "has " + std::to_string(bytes.size) + " bytes of data, shape " + to_string(shape) + " of " +
                               name(*type) + " needs " + std::to_string(expected));
  }
  HostTensor out(*type, shape);
  if (*type != ValueType::kBool && info(*type).packed_bits < 8) {
    unpack(bytes.begin, out);
  } else if (expected > 0) {
    std::memcpy(out.bytes(), bytes.begin, expected);
  }
  if (*type == ValueType::kBool) {
    for (int64_t i = 0; i < out.size(); i++)
      out.bytes()[i] = out.bytes()[i] != 0;
  }
  return out;
}

namespace {

/// The elements of a sparse index, whatever their width.
std::vector<int64_t> index_values(const void* table, tflite::SparseIndexVector kind) {
  std::vector<int64_t> out;
  const auto take = [&](const auto* values) {
    if (values != nullptr) out.assign(values->begin(), values->end());
  };
  if (kind == tflite::SparseIndexVector::Int32Vector)
    take(static_cast<const tflite::Int32Vector*>(table)->values());
  else if (kind == tflite::SparseIndexVector::Uint16Vector)
    take(static_cast<const tflite::Uint16Vector*>(table)->values());
  else if (kind == tflite::SparseIndexVector::Uint8Vector)
    take(static_cast<const tflite::Uint8Vector*>(table)->values());
  return out;
}

struct SparseLevel {
  bool dense = true;
  int64_t extent = 0;
  std::vector<int64_t> segments, indices;
};

}  // namespace

/// The format's TACO-like levels: traversal_order names the dimension of each level, the last of them blocks of the
/// dimensions in block_map.
Result<HostTensor> TfliteFile::read_sparse(const tflite::Tensor& tensor, ValueType type, const Shape& shape) const {
  const auto* sparsity = tensor.sparsity();
  const size_t levels = count(sparsity->traversal_order()), rank = shape.size(), blocks = count(sparsity->block_map());
  if (levels != rank + blocks || count(sparsity->dim_metadata()) != levels || info(type).packed_bits < 8)
    return damaged(tensor, "has " + std::to_string(levels) + " sparse levels for shape " + to_string(shape));
  std::vector<SparseLevel> at(levels);
  std::vector<int64_t> order(levels), block_extent(rank, 1);
  for (uint32_t l = 0; l < levels; l++) {
    order[l] = sparsity->traversal_order()->Get(l);
    if (order[l] < 0 || order[l] >= static_cast<int64_t>(levels)) return damaged(tensor, "has a bad traversal order");
    const auto* meta = sparsity->dim_metadata()->Get(l);
    at[l].dense = meta->format() == tflite::DimensionType::DENSE;
    at[l].extent = meta->dense_size();
    if (!at[l].dense) {
      at[l].segments = index_values(meta->array_segments(), meta->array_segments_type());
      at[l].indices = index_values(meta->array_indices(), meta->array_indices_type());
    }
    if (order[l] >= static_cast<int64_t>(rank)) {
      const int32_t of = sparsity->block_map()->Get(static_cast<uint32_t>(order[l]) - static_cast<uint32_t>(rank));
      if (of < 0 || of >= static_cast<int32_t>(rank) || !at[l].dense || at[l].extent < 1)
        return damaged(tensor, "has a bad block map");
      block_extent[static_cast<size_t>(of)] *= at[l].extent;
    }
  }
  const Bytes bytes = data_of(tensor);
  const auto width = static_cast<size_t>(storage_bytes(type));
  HostTensor out(type, shape);
  const std::vector<int64_t> strides = row_major_strides(shape);
  uint64_t taken = 0;
  std::string wrong;
  std::vector<int64_t> index(levels, 0);
  const auto store = [&] {
    int64_t offset = 0;
    std::vector<int64_t> full(rank, 0);
    for (size_t d = 0; d < rank; d++)
      full[d] = index[d] * block_extent[d];
    for (size_t b = 0; b < blocks; b++)
      full[static_cast<size_t>(sparsity->block_map()->Get(static_cast<uint32_t>(b)))] += index[rank + b];
    for (size_t d = 0; d < rank; d++) {
      if (full[d] < 0 || full[d] >= shape[d]) {
        wrong = "has a sparse index outside of its shape";
        return;
      }
      offset += full[d] * strides[d];
    }
    if ((taken + 1) * width > bytes.size) {
      wrong = "has fewer values than its sparse indices name";
      return;
    }
    std::memcpy(out.bytes() + static_cast<size_t>(offset) * width, bytes.begin + taken * width, width);
    taken++;
  };
  const auto walk = [&](const auto& self, size_t level, int64_t parent) -> void {
    if (!wrong.empty()) return;
    if (level == levels) return store();
    const SparseLevel& l = at[level];
    int64_t& i = index[static_cast<size_t>(order[level])];
    if (l.dense) {
      for (int64_t k = 0; k < l.extent && wrong.empty(); k++) {
        i = k;
        self(self, level + 1, parent * l.extent + k);
      }
      return;
    }
    if (parent < 0 || parent + 1 >= static_cast<int64_t>(l.segments.size())) {
      wrong = "has too few sparse segments";
      return;
    }
    const int64_t begin = l.segments[static_cast<size_t>(parent)], end = l.segments[static_cast<size_t>(parent) + 1];
    if (begin < 0 || end < begin || end > static_cast<int64_t>(l.indices.size())) {
      wrong = "has bad sparse segments";
      return;
    }
    for (int64_t k = begin; k < end && wrong.empty(); k++) {
      i = l.indices[static_cast<size_t>(k)];
      self(self, level + 1, k);
    }
  };
  // Dense levels could claim more elements than there are.
  uint64_t positions = 1;
  for (const SparseLevel& l : at) {
    positions *= l.dense ? static_cast<uint64_t>(std::max<int64_t>(l.extent, 0)) : 1;
    if (positions > static_cast<uint64_t>(element_count(shape)) + 1)
      return damaged(tensor, "has sparse levels larger than its shape");
  }
  walk(walk, 0, 0);
  if (!wrong.empty()) return damaged(tensor, wrong);
  return out;
}

bool looks_like_tflite(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  char head[8] = {};
  return in.read(head, 8) && std::memcmp(head + 4, "TFL3", 4) == 0;
}

Result<std::vector<std::string>> tflite_inputs(const std::string& path) {
  QL_ASSIGN(const auto file, TfliteFile::load(path));
  std::vector<std::string> out;
  const auto* main = file->model().subgraphs()->Get(0);
  if (main->inputs() == nullptr) return out;
  for (uint32_t i = 0; i < main->inputs()->size(); i++) {
    const auto* tensor = main->tensors()->Get(static_cast<uint32_t>(main->inputs()->Get(i)));
    if (!file->has_data(*tensor)) out.push_back(tflite_input_name(*tensor, i));
  }
  return out;
}

}  // namespace qlathe
