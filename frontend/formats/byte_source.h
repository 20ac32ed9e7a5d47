#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "frontend/ir/result.h"

namespace qlathe {

/// Bytes at offsets: a regular file or memory. Reading is bounded by the real size and safe from several threads.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// The name for messages: the path as the user gave it.
  const std::string& name() const { return name_; }
  uint64_t size() const { return size_; }
  /// Exactly n bytes at `offset`; an error (never a short read) where they are not there.
  Status read(uint64_t offset, void* to, uint64_t n) const;

 protected:
  ByteSource(std::string name, uint64_t size) : name_(std::move(name)), size_(size) {}
  virtual Status read_checked(uint64_t offset, void* to, uint64_t n) const = 0;

 private:
  std::string name_;
  uint64_t size_ = 0;
};

/// Opens a regular file (directories, devices and pipes are refused, with the reason).
Result<std::shared_ptr<const ByteSource>> open_file(const std::string& path);
std::shared_ptr<const ByteSource> memory_source(std::string name, std::vector<uint8_t> bytes);

/// The whole file as text; an error where it has more than `max_bytes`.
Result<std::string> read_whole_file(const std::string& path, uint64_t max_bytes);

}  // namespace qlathe
