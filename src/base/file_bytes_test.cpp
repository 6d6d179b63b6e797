#include "base/file_bytes.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string_view>

namespace drystone {
namespace {

class FileBytesTest : public testing::Test {
 protected:
  ~FileBytesTest() override { std::fclose(stream_); }
  int file() const { return ::fileno(stream_); }

 private:
  std::FILE* stream_ = std::tmpfile();
};

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST_F(FileBytesTest, ReadsWhatWasWritten) {
  ASSERT_TRUE(write_at(file(), 3, bytes("abc")));
  std::array<char, 2> read{};
  ASSERT_TRUE(read_at(file(), 4, std::as_writable_bytes(std::span(read))));
  EXPECT_EQ(std::string_view(read.data(), 2), "bc");
}

// Half a range would pass for a whole one.
TEST_F(FileBytesTest, AShortFileIsAnError) {
  ASSERT_TRUE(write_at(file(), 0, bytes("abc")));
  std::array<std::byte, 2> read{};
  const auto done = read_at(file(), 2, read);
  ASSERT_TRUE(done.is(Errc::io));
  EXPECT_EQ(done.error().message(), "it ends at byte 3");
}

TEST(FileBytes, SaysWhatIsWrong) {
  EXPECT_EQ(write_at(-1, 7, bytes("abc")).error().message(), "Bad file descriptor at byte 7");
  const auto synced = sync_folder("/no/such/folder");
  ASSERT_TRUE(synced.is(Errc::io));
  EXPECT_TRUE(synced.error().message().starts_with("/no/such/folder: cannot write"));
}

}  // namespace
}  // namespace drystone
