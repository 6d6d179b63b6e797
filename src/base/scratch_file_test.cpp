#include "base/scratch_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

namespace drystone {
namespace {

namespace fs = std::filesystem;

struct Folder {
  Folder() : path(fs::path(testing::TempDir()) / ("scratch-" + std::to_string(getpid()))) {
    fs::create_directory(path);
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

// It holds what people wrote: it must not lie about, not even after a crash.
TEST(ScratchFile, HoldsBytesAndHasNoName) {
  const Folder folder;
  const auto file = make_scratch_file(folder.path, 100);
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_TRUE(fs::is_empty(folder.path));
  ASSERT_TRUE((*file)->write(10, bytes_of({1, 2, 3})));
  ASSERT_TRUE((*file)->write(4, bytes_of({9})));
  std::vector<std::byte> read(3);
  ASSERT_TRUE((*file)->read(10, read));
  EXPECT_EQ(read, bytes_of({1, 2, 3}));
  EXPECT_TRUE((*file)->read(11, read).is(Errc::io)) << "the file ends before";
}

TEST(ScratchFile, RefusesAFolderThatCannotHoldIt) {
  const Folder folder;
  const auto none = make_scratch_file(folder.path / "none", 100);
  ASSERT_TRUE(none.is(Errc::io));
  EXPECT_NE(none.error().message().find((folder.path / "none").string()), std::string::npos);
  const auto full = make_scratch_file(folder.path, Bytes{1} << 60);
  ASSERT_TRUE(full.is(Errc::io));
  EXPECT_NE(full.error().message().find(format_bytes(Bytes{1} << 60)), std::string::npos)
      << full.error().message();
}

}  // namespace
}  // namespace drystone
