#include "api/write_folder.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "api/qlathe.h"
#include "frontend/formats/atomic_write.h"

namespace qlathe {
namespace {

namespace fs = std::filesystem;

Status file_problem(const fs::path& path, const std::string& what, const std::error_code& code) {
  return Status::user({path.string(), "", ""}, what + ": " + code.message(),
                      "check the path, its permissions and the space left");
}

/// A folder that vanishes with all that is in it.
class ScratchFolder {
 public:
  static Result<std::unique_ptr<ScratchFolder>> create(const fs::path& parent) {
    std::string name = (parent / ".qlathe-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      return file_problem(parent, "the folder cannot be written to", {errno, std::generic_category()});
    }
    return std::unique_ptr<ScratchFolder>(new ScratchFolder(name));
  }
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  explicit ScratchFolder(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

/// Moves files from `staged` into `folder`; what was there goes to `saved`, and back if anything fails.
Status move_all(const std::vector<EmittedFile>& files, const fs::path& staged, const fs::path& folder,
                const fs::path& saved) {
  std::vector<std::pair<fs::path, fs::path>> undo;  // from, to
  Status failure;
  for (const EmittedFile& file : files) {
    std::error_code code;
    const fs::path to = folder / file.name, kept = saved / file.name;
    if (fs::is_directory(to, code)) {
      failure =
          Status::user({to.string(), "", ""}, "is a folder where a file must go", "remove it or choose another folder");
      break;
    }
    if (fs::exists(fs::symlink_status(to, code))) {
      fs::rename(to, kept, code);
      if (!code) undo.emplace_back(kept, to);
    } else {
      code.clear();
    }
    if (!code) {
      fs::rename(staged / file.name, to, code);
      if (!code) undo.emplace_back(to, staged / file.name);
    }
    if (code) {
      failure = file_problem(to, "cannot be written", code);
      break;
    }
  }
  if (failure.ok()) return failure;
  for (auto step = undo.rbegin(); step != undo.rend(); ++step) {
    std::error_code code;
    fs::rename(step->first, step->second, code);
    if (code) failure.merge(file_problem(step->second, "could not be put back", code));
  }
  return failure;
}

}  // namespace

Status write_folder(const std::string& path, const std::vector<EmittedFile>& files) {
  const fs::path folder(path);
  std::error_code code;
  const bool existed = fs::exists(folder, code);
  if (existed && !fs::is_directory(folder, code)) {
    return Status::user({path, "", ""}, "is a file; the output goes into a folder", "give another name with -o");
  }
  // The topmost folder made here is removed again when something fails.
  fs::path made;
  if (!existed) {
    made = fs::absolute(folder, code);
    if (!made.has_filename()) made = made.parent_path();
    while (made.has_parent_path() && !fs::exists(made.parent_path(), code))
      made = made.parent_path();
    fs::create_directories(folder, code);
    if (code) return file_problem(folder, "the folder cannot be made", code);
  }
  std::vector<fs::path> folders_made;  // inside an existing folder
  const auto write = [&]() -> Status {
    QL_ASSIGN(const std::unique_ptr<ScratchFolder> staged, ScratchFolder::create(folder));
    const fs::path saved = staged->path() / "saved";
    if (!fs::create_directory(saved, code)) return file_problem(saved, "cannot be made", code);
    for (const EmittedFile& file : files) {
      // Names may have folders in them.
      for (const fs::path& root : {staged->path(), saved, folder}) {
        const fs::path parent = (root / file.name).parent_path();
        if (fs::create_directories(parent, code)) folders_made.push_back(parent);
        if (code) return file_problem(parent, "the folder cannot be made", code);
      }
      QL_RETURN_IF_ERROR(write_file((staged->path() / file.name).string(), file.bytes));
    }
    return move_all(files, staged->path(), folder, saved);
  };
  const Status status = write();
  if (status.ok()) return status;
  if (!made.empty()) fs::remove_all(made, code);
  for (auto empty = folders_made.rbegin(); empty != folders_made.rend(); ++empty)
    fs::remove(*empty, code);  // those of the staging folder are gone already
  return status;
}

}  // namespace qlathe
