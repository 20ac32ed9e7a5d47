#pragma once
/// Programs of the machine (compilers, linkers) and a place for their files.
#include <filesystem>
#include <string>
#include <vector>

namespace qlathe {

/// A folder that goes away with its contents.
class TemporaryFolder {
 public:
  TemporaryFolder();  ///< path() is empty where none can be made
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Runs a program found on PATH; its exit status, or -1 where it cannot be started. `output` (a file's path, may be
/// empty) takes what it prints, on stderr too.
int run_program(const std::vector<std::string>& words, const std::string& output = "");

/// All of a file; empty where it cannot be read.
std::string read_whole(const std::filesystem::path& path);

}  // namespace qlathe
