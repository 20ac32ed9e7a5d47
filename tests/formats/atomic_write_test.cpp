#include "frontend/formats/atomic_write.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>

#include "tests/formats/array_samples.h"

namespace qlathe {
namespace {

using testing::bytes_of;
using testing::file_bytes;
using testing::TemporaryFolder;

TEST(AtomicFile, LeavesNothingWithoutCommit) {
  TemporaryFolder folder;
  {
    auto file = AtomicFile::create(folder / "a");
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->write("half").ok());
  }
  EXPECT_EQ(folder.entries(), 0u);
}

TEST(AtomicFile, ReplacesTheWholeFileAndKeepsItsPermissions) {
  TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "a", "a long first version").ok());
  ::chmod((folder / "a").c_str(), 0640);
  ASSERT_TRUE(write_file(folder / "a", "short").ok());
  EXPECT_EQ(file_bytes(folder / "a"), bytes_of("short"));
  struct stat status = {};
  ::stat((folder / "a").c_str(), &status);
  EXPECT_EQ(status.st_mode & 07777, 0640u);
  EXPECT_EQ(folder.entries(), 1u);
}

TEST(AtomicFile, WritesThroughASymbolicLink) {
  TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "real", "old").ok());
  std::filesystem::create_symlink("real", folder / "link");
  ASSERT_TRUE(write_file(folder / "link", "new").ok());
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(file_bytes(folder / "real"), bytes_of("new"));
}

TEST(AtomicFile, NamesThePlaceThatCannotBeWritten) {
  TemporaryFolder folder;
  EXPECT_EQ(write_file(folder / "no/such/a", "x").text(),
            (folder / "no/such/a") +
                ": cannot be written: No such file or directory; make the folder first, or choose another place");
  EXPECT_EQ(write_file(folder.path(), "x").text(),
            folder.path() + ": cannot be written: it is a directory; name a file in it");
}

TEST(AtomicFile, ReportsAFullDevice) {
  EXPECT_EQ(write_file("/dev/full", "x").text(),
            "/dev/full: cannot be written: No space left on device; make room, or choose another place; nothing was "
            "left behind");
}

TEST(AtomicFile, KeepsTheOldFileWhenThereIsNoRoom) {
  TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "a", "old").ok());
  struct rlimit before = {};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const struct rlimit small = {4096, before.rlim_max};
  auto* old_handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status status = write_file(folder / "a", std::string(10000, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(status.text(),
            (folder / "a") +
                ": cannot be written: File too large; make room, or choose another place; nothing was left behind");
  EXPECT_EQ(file_bytes(folder / "a"), bytes_of("old"));
  EXPECT_EQ(folder.entries(), 1u);
}

}  // namespace
}  // namespace qlathe
