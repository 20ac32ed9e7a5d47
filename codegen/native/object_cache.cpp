#include "codegen/native/object_cache.h"

#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <system_error>

namespace qlathe {
namespace {

namespace fs = std::filesystem;

constexpr char kMagic[8] = {'q', 'l', 'o', 'b', 'j', '1', '\n', '\0'};

/// magic, XXH3-64 of the content, size of the content, content.
struct EntryHeader {
  char magic[8];
  uint64_t checksum;
  uint64_t size;
};

}  // namespace

ObjectCache::ObjectCache(fs::path folder, int64_t limit_bytes)
    : folder_(std::move(folder)), limit_bytes_(limit_bytes) {}

fs::path ObjectCache::default_folder() {
  if (const char* own = std::getenv("QLATHE_CACHE_DIR"); own != nullptr && *own != '\0') return own;
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg != nullptr && *xdg != '\0') return fs::path(xdg) / "qlathe";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return fs::path(home) / ".cache" / "qlathe";
  return {};
}

std::string ObjectCache::hash(const std::string& text) {
  const XXH128_hash_t h = XXH3_128bits(text.data(), text.size());
  char out[33];
  std::snprintf(out, sizeof out, "%016llx%016llx", static_cast<unsigned long long>(h.high64),
                static_cast<unsigned long long>(h.low64));
  return out;
}

fs::path ObjectCache::path_of(const std::string& hash) const { return folder_ / hash.substr(0, 2) / (hash + ".obj"); }

std::optional<std::vector<uint8_t>> ObjectCache::load(const std::string& hash) const {
  if (folder_.empty()) return std::nullopt;
  const fs::path path = path_of(hash);
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::error_code ignored;
  EntryHeader header{};
  in.read(reinterpret_cast<char*>(&header), sizeof header);
  const uintmax_t size = fs::file_size(path, ignored);
  bool good = in && std::memcmp(header.magic, kMagic, sizeof kMagic) == 0 && size == sizeof header + header.size;
  std::vector<uint8_t> bytes;
  if (good) {
    bytes.resize(header.size);
    in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    good = in && XXH3_64bits(bytes.data(), bytes.size()) == header.checksum;
  }
  if (!good) {
    fs::remove(path, ignored);
    return std::nullopt;
  }
  fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);  // the age that trim() goes by
  return bytes;
}

void ObjectCache::store(const std::string& hash, const std::vector<uint8_t>& bytes) {
  if (folder_.empty()) return;
  const fs::path path = path_of(hash);
  std::error_code failed;
  fs::create_directories(path.parent_path(), failed);
  if (failed) return;
  static std::atomic<uint64_t> counter{0};
  const fs::path temporary =
      path.parent_path() / ("." + hash + "." + std::to_string(getpid()) + "." + std::to_string(counter++));
  {
    std::ofstream out(temporary, std::ios::binary);
    EntryHeader header{};
    std::memcpy(header.magic, kMagic, sizeof kMagic);
    header.checksum = XXH3_64bits(bytes.data(), bytes.size());
    header.size = bytes.size();
    out.write(reinterpret_cast<const char*>(&header), sizeof header);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (!out) {
      fs::remove(temporary, failed);
      return;
    }
  }
  fs::rename(temporary, path, failed);
  if (failed) fs::remove(temporary, failed);
}

void ObjectCache::trim() const {
  if (folder_.empty()) return;
  struct Entry {
    fs::file_time_type time;
    fs::path path;
    int64_t bytes;
  };
  std::vector<Entry> entries;
  int64_t total = 0;
  std::error_code failed;
  for (fs::recursive_directory_iterator it(folder_, failed), end; !failed && it != end; it.increment(failed)) {
    if (!it->is_regular_file(failed) || failed) continue;
    const auto bytes = static_cast<int64_t>(it->file_size(failed));
    const fs::file_time_type time = it->last_write_time(failed);
    if (failed) {
      failed.clear();  // another process removed it meanwhile
      continue;
    }
    entries.push_back({time, it->path(), bytes});
    total += bytes;
  }
  if (total <= limit_bytes_) return;
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.time < b.time; });
  for (const Entry& entry : entries) {
    if (total <= limit_bytes_ * 3 / 4) break;
    fs::remove(entry.path, failed);
    total -= entry.bytes;
  }
}

}  // namespace qlathe
