#include "frontend/formats/arrays/array_file.h"

#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

struct Format {
  bool (*sniff)(const ByteSource&);
  Result<std::unique_ptr<ArrayFile>> (*open)(std::shared_ptr<const ByteSource>, const ArrayLimits&);
};

constexpr Format kFormats[] = {
    {sniff_npy, open_npy},
    {sniff_npz, open_npz},
    {sniff_safetensors, open_safetensors},
};

bool stored_alike(ValueType from, ValueType to) {
  if (from == to) return true;
  if (storage_bytes(from) != storage_bytes(to)) return false;
  if (is_integer(from) && is_integer(to)) return is_signed(from) == is_signed(to);
  if (is_integer(from) && !is_signed(from)) return is_code(to) || to == ValueType::kBool || info(to).bits == 16;
  return false;
}

}  // namespace

const ArrayInfo* ArrayFile::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &arrays_[found->second];
}

Result<HostTensor> ArrayFile::read(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) {
    std::vector<std::string> names;
    for (const ArrayInfo& array : arrays_)
      names.push_back(array.name);
    return Status::user({path_, "", ""}, "has no array " + in_quotes(name), did_you_mean(name, names));
  }
  const ArrayInfo& array = arrays_[found->second];
  if (!array.unreadable.empty()) return Status::user({path_, array.name, ""}, array.unreadable);
  Result<HostTensor> tensor = read_at(found->second);
  tensor.status().at({path_, array.name, ""});
  return tensor;
}

Status ArrayFile::add(ArrayInfo info) {
  if (!index_.emplace(info.name, arrays_.size()).second) {
    return Status::user({path_, "", ""}, "holds two arrays of the name " + in_quotes(info.name));
  }
  arrays_.push_back(std::move(info));
  return {};
}

Result<std::unique_ptr<ArrayFile>> open_arrays(const std::string& path, const ArrayLimits& limits) {
  QL_ASSIGN(auto source, open_file(path));
  return open_arrays(std::move(source), limits);
}

Result<std::unique_ptr<ArrayFile>> open_arrays(std::shared_ptr<const ByteSource> source, const ArrayLimits& limits) {
  for (const Format& format : kFormats) {
    if (format.sniff(*source)) return format.open(source, limits);
  }
  if (source->size() == 0) return Status::user({source->name(), "", ""}, "is empty");
  return Status::user({source->name(), "", ""}, "is neither .npy, .npz nor .safetensors by its content");
}

Result<std::map<std::string, HostTensor>> read_all_arrays(const std::string& path, const ArrayLimits& limits) {
  QL_ASSIGN(auto file, open_arrays(path, limits));
  std::map<std::string, HostTensor> out;
  Status problems;
  for (const ArrayInfo& array : file->arrays()) {
    Result<HostTensor> tensor = file->read(array.name);
    if (tensor.ok()) {
      out.emplace(array.name, *std::move(tensor));
    } else {
      problems.merge(tensor.status());
    }
  }
  QL_RETURN_IF_ERROR(problems);
  return out;
}

Result<HostTensor> as_value_type(HostTensor tensor, ValueType type) {
  if (tensor.type() == type) return tensor;
  if (!stored_alike(tensor.type(), type)) {
    return Status::user({}, std::string("holds ") + name(tensor.type()) + ", which cannot be taken as " + name(type));
  }
  const ValueTypeInfo& to = info(type);
  const bool code = is_code(type) || type == ValueType::kBool;
  const int64_t min = code ? 0 : to.min;
  const int64_t max = code ? (int64_t{1} << to.bits) - 1 : to.max;
  if (is_integer(type) || code) {
    for (int64_t i = 0; i < tensor.size(); ++i) {
      if (const int64_t value = tensor.int_at(i); value < min || value > max) {
        return Status::user({}, "element " + std::to_string(i) + " is " + std::to_string(value) +
                                    ", outside the range " + std::to_string(min) + ".." + std::to_string(max) + " of " +
                                    name(type));
      }
    }
  }
  HostTensor out(type, tensor.shape());
  if (out.byte_size() > 0) std::memcpy(out.bytes(), tensor.bytes(), out.byte_size());
  return out;
}

}  // namespace qlathe
