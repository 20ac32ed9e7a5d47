#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "frontend/formats/arrays/array_file.h"

namespace qlathe::testing {

/// A folder of its own that goes away with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "qlathe-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  size_t entries() const { return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path_), {})); }

 private:
  std::string path_;
};

inline std::vector<uint8_t> file_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::vector<uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

/// shape [3, 5] of every type, with distinct values where the type has as many.
inline HostTensor sample_tensor(ValueType type) {
  HostTensor t(type, {3, 5});
  const ValueTypeInfo& row = info(type);
  for (size_t i = 0; i < t.byte_size(); ++i)
    t.bytes()[i] = static_cast<uint8_t>(37 * i + 11);
  if (row.storage_bytes == 1 && (is_integer(type) || row.bits < 8)) {
    const int64_t min = is_integer(type) ? row.min : 0, span = int64_t{1} << row.bits;
    for (int64_t i = 0; i < t.size(); ++i)
      t.set_int(i, min + i % span);
  }
  return t;
}

inline std::map<std::string, HostTensor> sample_arrays() {
  std::map<std::string, HostTensor> arrays;
  for (const ValueTypeInfo& row : value_types())
    arrays[std::string("all/") + row.name] = sample_tensor(row.type);
  arrays["scalar"] = HostTensor::scalar(2.5f);
  arrays["empty"] = HostTensor(ValueType::kF32, {0, 7});
  return arrays;
}

}  // namespace qlathe::testing
