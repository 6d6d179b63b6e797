#include "store/presence.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

const ModelFiles kFiles = {{"a-00001-of-00002.gguf", 1000, 100},
                           {"a-00002-of-00002.gguf", 500, 50}};

std::string sample() {
  return presence_head("abcd", kFiles) + presence_line(0, {0, 100}) + presence_line(1, {0, 50}) +
         presence_line(0, {100, 300});
}

TEST(Presence, IsReadAsItWasWritten) {
  const auto read = read_presence(sample());
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->presence.identity, "abcd");
  EXPECT_EQ(read->presence.files, kFiles);
  EXPECT_EQ(read->good_bytes, sample().size());
  EXPECT_TRUE(read->presence.present[0].contains({0, 300}));
  EXPECT_EQ(read->presence.present[1].ranges(), (std::vector<ByteRange>{{0, 50}}));
}

// A crash may end the file anywhere, or leave zeroes: what was there before still counts, and no
// byte more.
TEST(Presence, LinesThatWereCutOffDoNotCount) {
  const std::string whole = sample();
  const std::size_t last = presence_line(0, {100, 300}).size();
  const std::size_t head = presence_head("abcd", kFiles).size();
  for (std::size_t size = 0; size < whole.size(); ++size)
    for (const bool zeroes : {false, true}) {
      std::string text = whole.substr(0, size);
      if (zeroes) text.resize(whole.size(), '\0');
      const auto read = read_presence(text);
      if (size < head) {
        EXPECT_FALSE(read) << size;
        continue;
      }
      ASSERT_TRUE(read) << size;
      EXPECT_LE(read->good_bytes, size);
      if (size < whole.size()) {
        EXPECT_FALSE(read->presence.present[0].contains({0, 101})) << size;
      }
      if (size >= whole.size() - last) {
        EXPECT_TRUE(read->presence.present[1].contains({0, 50}));
      }
    }
}

TEST(Presence, ALineWithAnotherCheckEndsIt) {
  std::string text = sample();
  text[text.size() - presence_line(0, {100, 300}).size() + 8] = '7';
  const auto read = read_presence(text);
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->presence.present[0].contains({100, 101}));
}

// Names come from other nodes and become files here.
TEST(Presence, FilesWithOtherThanPlainNamesAreRefused) {
  for (const char* name : {"", "..", ".hidden", "../a.gguf", "a/b", "a\\b", "a\nb"})
    EXPECT_FALSE(validate({{name, 10, 1}})) << name;
  EXPECT_FALSE(validate({}));
  EXPECT_FALSE(validate({{"a", 10, 1}, {"a", 10, 1}}));
  EXPECT_FALSE(validate({{"a", 10, 11}}));
  EXPECT_FALSE(validate({{"a", 10, 0}}));
  EXPECT_FALSE(validate({{"a", kModelFileMax + 1, 1}}));
  EXPECT_TRUE(validate(kFiles));
}

}  // namespace
}  // namespace drystone
