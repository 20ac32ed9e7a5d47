#include "frontend/formats/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace qlathe {
namespace {

class FileSource : public ByteSource {
 public:
  FileSource(std::string name, uint64_t size, int descriptor)
      : ByteSource(std::move(name), size), descriptor_(descriptor) {}
  ~FileSource() override { ::close(descriptor_); }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

 protected:
  Status read_checked(uint64_t offset, void* to, uint64_t n) const override {
    constexpr uint64_t kMaxRead = uint64_t{1} << 30;  // Linux transfers at most 2^31 - 4096 bytes a call
    auto* out = static_cast<char*>(to);
    while (n > 0) {
      const ssize_t got = ::pread(descriptor_, out, std::min(n, kMaxRead), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Status::user({name(), "", ""}, std::string("cannot be read: ") + std::strerror(errno));
      if (got == 0) return Status::user({name(), "", ""}, "became shorter while it was being read");
      out += got;
      offset += static_cast<uint64_t>(got);
      n -= static_cast<uint64_t>(got);
    }
    return {};
  }

 private:
  int descriptor_;
};

class MemorySource : public ByteSource {
 public:
  MemorySource(std::string name, std::vector<uint8_t> bytes)
      : ByteSource(std::move(name), bytes.size()), bytes_(std::move(bytes)) {}

 protected:
  Status read_checked(uint64_t offset, void* to, uint64_t n) const override {
    if (n > 0) std::memcpy(to, bytes_.data() + offset, n);
    return {};
  }

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace

Status ByteSource::read(uint64_t offset, void* to, uint64_t n) const {
  if (offset > size_ || n > size_ - offset) {
    return Status::user({name_, "", ""}, "ends too early: " + std::to_string(n) + " bytes at " +
                                             std::to_string(offset) + " are beyond its " + std::to_string(size_) +
                                             " bytes");
  }
  return read_checked(offset, to, n);
}

Result<std::shared_ptr<const ByteSource>> open_file(const std::string& path) {
  // Non-blocking, so that opening a pipe that nobody writes to does not wait.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    const bool missing = errno == ENOENT || errno == ENOTDIR;
    return Status::user({path, "", ""},
                        missing ? "there is no such file" : std::string("cannot be opened: ") + std::strerror(errno));
  }
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    return Status::user({path, "", ""},
                        S_ISDIR(status.st_mode) ? "is a directory, not a file" : "is not a regular file");
  }
  return std::shared_ptr<const ByteSource>(
      std::make_shared<FileSource>(path, static_cast<uint64_t>(status.st_size), descriptor));
}

std::shared_ptr<const ByteSource> memory_source(std::string name, std::vector<uint8_t> bytes) {
  return std::make_shared<MemorySource>(std::move(name), std::move(bytes));
}

Result<std::string> read_whole_file(const std::string& path, uint64_t max_bytes) {
  QL_ASSIGN(auto source, open_file(path));
  if (source->size() > max_bytes) {
    return Status::user({path, "", ""}, "has " + std::to_string(source->size()) + " bytes, at most " +
                                            std::to_string(max_bytes) + " are read here");
  }
  std::string text(source->size(), '\0');
  QL_RETURN_IF_ERROR(source->read(0, text.data(), text.size()));
  return text;
}

}  // namespace qlathe
