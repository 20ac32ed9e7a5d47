#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frontend/formats/byte_source.h"
#include "frontend/ir/tensor.h"

namespace qlathe {

/// Bounds on what reading an array file may cost beyond the file's own size.
struct ArrayLimits {
  /// Bytes that one compressed array may unpack to, and all of a file together.
  uint64_t max_unpacked_array = uint64_t{4} << 30;
  uint64_t max_unpacked_file = uint64_t{16} << 30;
};

struct ArrayInfo {
  std::string name;  ///< key in an .npz (without ".npy") or .safetensors; the file's stem for an .npy
  ValueType type = ValueType::kF32;
  Shape shape;
  /// Why this array cannot be read ("has the type '<U5', …"), with type and shape meaningless; empty where it can.
  std::string unreadable;
};

/// Named arrays in a file. Opening reads names, types and shapes; read() one array's values. Safe from several threads.
class ArrayFile {
 public:
  virtual ~ArrayFile() = default;
  const std::string& path() const { return path_; }
  const std::vector<ArrayInfo>& arrays() const { return arrays_; }  // in the order of the file
  const ArrayInfo* find(const std::string& name) const;
  Result<HostTensor> read(const std::string& name) const;

 protected:
  explicit ArrayFile(std::string path) : path_(std::move(path)) {}
  /// Adds an array; an error where the name is there already.
  Status add(ArrayInfo info);
  virtual Result<HostTensor> read_at(size_t index) const = 0;

 private:
  std::string path_;
  std::vector<ArrayInfo> arrays_;
  std::map<std::string, size_t> index_;
};

/// Opens .npy, .npz or .safetensors, told apart by their content.
Result<std::unique_ptr<ArrayFile>> open_arrays(const std::string& path, const ArrayLimits& limits = {});
Result<std::unique_ptr<ArrayFile>> open_arrays(std::shared_ptr<const ByteSource> source,
                                               const ArrayLimits& limits = {});
/// Every array of a file; an unreadable one is an error.
Result<std::map<std::string, HostTensor>> read_all_arrays(const std::string& path, const ArrayLimits& limits = {});

// The formats, each of a source that its sniffing function has accepted.
bool sniff_npy(const ByteSource& source);
bool sniff_npz(const ByteSource& source);
bool sniff_safetensors(const ByteSource& source);
Result<std::unique_ptr<ArrayFile>> open_npy(std::shared_ptr<const ByteSource> source, const ArrayLimits& limits);
Result<std::unique_ptr<ArrayFile>> open_npz(std::shared_ptr<const ByteSource> source, const ArrayLimits& limits);
Result<std::unique_ptr<ArrayFile>> open_safetensors(std::shared_ptr<const ByteSource> source,
                                                    const ArrayLimits& limits);

/// The same values under another type that stores them alike: files have no int4 or nf4, so those are written as int8
/// or uint8, bfloat16 maybe as uint16 bits. An error where a value is outside the range of the type.
Result<HostTensor> as_value_type(HostTensor tensor, ValueType type);

// Writers. The file appears whole or not at all, and its bytes depend on the arrays alone (no time stamps).
// Types that the format lacks: signed sub-byte types are written as int8, unsigned ones, float8, float4 and nf4 as
// uint8 with their codes, bfloat16 as '<V2' (.npy, as ml_dtypes does). A .safetensors keeps their names in its
// metadata.
struct NpzOptions {
  bool deflate = false;
};
Status write_npy(const std::string& path, const HostTensor& tensor);
Status write_npz(const std::string& path, const std::map<std::string, HostTensor>& arrays, NpzOptions options = {});
Status write_safetensors(const std::string& path, const std::map<std::string, HostTensor>& arrays);

}  // namespace qlathe
