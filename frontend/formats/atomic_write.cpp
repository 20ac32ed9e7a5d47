#include "frontend/formats/atomic_write.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace qlathe {
namespace {

/// What a person can do about the error of a system call.
const char* remedy_for(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return "make the folder first, or choose another place";
    case EACCES:
    case EPERM:
    case EROFS:
      return "choose a place that you may write to";
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return "make room, or choose another place; nothing was left behind";
    default:
      return "choose another place";
  }
}

std::string resolve_links(const std::string& path) {
  char* real = ::realpath(path.c_str(), nullptr);
  const std::string out = real ? real : path;
  std::free(real);
  return out;
}

}  // namespace

Status AtomicFile::failure(const char* what) const {
  const int error = errno;
  return Status::user({path_, "", ""}, std::string(what) + ": " + std::strerror(error), remedy_for(error));
}

Result<AtomicFile> AtomicFile::create(const std::string& path) {
  AtomicFile file;
  file.path_ = path;
  file.target_ = path;
  mode_t mode = 0666;  // less the umask
  struct stat status = {};
  const bool exists = !path.empty() && ::stat(path.c_str(), &status) == 0;
  if (exists) {
    if (S_ISDIR(status.st_mode))
      return Status::user({path, "", ""}, "cannot be written: it is a directory", "name a file in it");
    if (!S_ISREG(status.st_mode)) {
      file.descriptor_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
      if (file.descriptor_ < 0) return file.failure("cannot be written");
      return file;
    }
    file.target_ = resolve_links(path);
    // Renaming would replace a file that its owner has write-protected.
    if (::access(path.c_str(), W_OK) != 0) return file.failure("cannot be overwritten");
  }
  static std::atomic<unsigned> counter{0};
  const size_t slash = file.target_.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : file.target_.substr(0, slash + 1);
  for (int attempt = 0; file.descriptor_ < 0; ++attempt) {
    file.temporary_ = folder + ".qlathe-" + std::to_string(::getpid()) + "-" + std::to_string(counter++) + ".tmp";
    file.descriptor_ = ::open(file.temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file.descriptor_ >= 0) break;
    if (errno == EEXIST && attempt < 100) continue;  // left by a process of the same number that was killed
    file.temporary_.clear();
    return file.failure("cannot be written");
  }
  if (exists && ::fchmod(file.descriptor_, status.st_mode & 07777) != 0) return file.failure("cannot be written");
  return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, "")),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_) {}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Status AtomicFile::write(const void* bytes, uint64_t n) {
  const auto* from = static_cast<const char*>(bytes);
  while (n > 0) {
    const ssize_t put = ::write(descriptor_, from, std::min<uint64_t>(n, uint64_t{1} << 30));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return failure("cannot be written");
    from += put;
    n -= static_cast<uint64_t>(put);
    size_ += static_cast<uint64_t>(put);
  }
  return {};
}

Status AtomicFile::commit() {
  // Full disks and network file systems may report only here. A device need not know how to sync.
  if (!temporary_.empty() && ::fsync(descriptor_) != 0) return failure("cannot be written");
  if (::close(std::exchange(descriptor_, -1)) != 0) return failure("cannot be written");
  if (temporary_.empty()) return {};
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) return failure("cannot be written");
  temporary_.clear();
  return {};
}

Status write_file(const std::string& path, std::string_view bytes) {
  QL_ASSIGN(AtomicFile file, AtomicFile::create(path));
  QL_RETURN_IF_ERROR(file.write(bytes));
  return file.commit();
}

}  // namespace qlathe
