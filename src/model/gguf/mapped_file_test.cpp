#include "model/gguf/mapped_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>

namespace drystone {
namespace {

namespace fs = std::filesystem;

// 64 pages of ones, and of the file's last page a part.
class MappedFileTest : public testing::Test {
 protected:
  MappedFileTest() {
    path_ = fs::temp_directory_path() / fmt::format("mapped-file-test-{}", getpid());
    std::ofstream(path_) << std::string(64 * page_ + 100, '\1');
  }
  ~MappedFileTest() override { fs::remove(path_); }

  static int sum(std::span<const std::byte> bytes) {
    return std::accumulate(bytes.begin(), bytes.end(), 0,
                           [](int sum, std::byte byte) { return sum + static_cast<int>(byte); });
  }

  const std::size_t page_ = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  fs::path path_;
};

TEST_F(MappedFileTest, OfAFileThatShrinksZerosAreReadAndItIsSaid) {
  const MappedFile file = *MappedFile::open(path_);
  EXPECT_TRUE(file.check_whole());
  fs::resize_file(path_, 8 * page_);
  EXPECT_TRUE(file.check_whole()) << "nothing of what is missing was read";
  EXPECT_EQ(sum(file.bytes()), 8 * static_cast<int>(page_));
  const auto whole = file.check_whole();
  ASSERT_TRUE(whole.is(Errc::io));
  EXPECT_EQ(whole.error().message(),
            fmt::format("{}: cannot be read from byte {} on: it had {} bytes when it was opened, "
                        "and has {} now. Was it cut or replaced, or does the disk fail?",
                        path_.string(), 8 * page_, 64 * page_ + 100, 8 * page_));
}

TEST_F(MappedFileTest, AnotherMappingOfTheFileIsNotConcerned) {
  const MappedFile file = *MappedFile::open(path_);
  MappedFile other = *MappedFile::open(path_);
  fs::resize_file(path_, page_);
  EXPECT_EQ(sum(other.bytes()), static_cast<int>(page_));
  EXPECT_TRUE(file.check_whole());
  const MappedFile moved = std::move(other);
  EXPECT_FALSE(moved.check_whole());
}

// What is not ours to mend ends the process, as before.
TEST_F(MappedFileTest, OtherPagesThatAreLostStillEndTheProcess) {
  const MappedFile watched = *MappedFile::open(path_);
  const auto read = [&] {
    const int file = open(path_.c_str(), O_RDONLY);
    const auto* bytes =
        static_cast<const std::byte*>(mmap(nullptr, 64 * page_, PROT_READ, MAP_SHARED, file, 0));
    fs::resize_file(path_, page_);
    std::exit(sum({bytes, 64 * page_}));
  };
  EXPECT_DEATH(read(), "");
}

}  // namespace
}  // namespace drystone
