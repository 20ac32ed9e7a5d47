#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace qlathe {

/// Object code on disk by the hash of what it was made from. Safe against concurrent processes (entries are written to
/// a temporary file and renamed), damaged files (a checksum; a bad entry is a miss and is removed) and unwritable
/// folders (then nothing is kept). The folder is held below `limit_bytes` by removing the least recently used entries.
class ObjectCache {
 public:
  explicit ObjectCache(std::filesystem::path folder, int64_t limit_bytes = int64_t{1} << 30);

  /// $QLATHE_CACHE_DIR, else $XDG_CACHE_HOME/qlathe, else ~/.cache/qlathe; empty when there is no home.
  static std::filesystem::path default_folder();

  /// 32 hexadecimal digits of the text's 128-bit hash.
  static std::string hash(const std::string& text);

  std::optional<std::vector<uint8_t>> load(const std::string& hash) const;
  void store(const std::string& hash, const std::vector<uint8_t>& bytes);
  /// Removes the oldest entries until the folder is below the limit. Called once after a compilation, not per entry.
  void trim() const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path path_of(const std::string& hash) const;

  std::filesystem::path folder_;
  int64_t limit_bytes_;
};

}  // namespace qlathe
