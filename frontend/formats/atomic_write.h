#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "frontend/ir/result.h"

namespace qlathe {

/// A file that appears under its name whole or not at all: bytes go to a temporary file beside it, commit() renames.
/// Without commit() nothing remains. A device or pipe ("/dev/stdout") is written directly, a symbolic link keeps
/// pointing where it did, and an existing file keeps its permissions.
class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::string& path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  Status write(const void* bytes, uint64_t n);
  Status write(std::string_view text) { return write(text.data(), text.size()); }
  /// The number of bytes written so far.
  uint64_t size() const { return size_; }
  Status commit();

 private:
  AtomicFile() = default;
  Status failure(const char* what) const;

  std::string path_;       // as given, for messages
  std::string target_;     // path_ with symbolic links resolved
  std::string temporary_;  // empty when written directly
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

/// All of `bytes` under `path`, or an error and what was there before.
Status write_file(const std::string& path, std::string_view bytes);

}  // namespace qlathe
