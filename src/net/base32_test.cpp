#include "net/base32.h"

#include <gtest/gtest.h>

#include "net/secret.h"
#include "net/test_bytes.h"

namespace drystone {
namespace {

// Codes are read aloud and typed: they must be the ones that other tools make.
TEST(Base32, IsThatOfRfc4648InLowerCaseWithoutPadding) {
  EXPECT_EQ(to_base32({}), "");
  EXPECT_EQ(to_base32(bytes_of("f")), "my");
  EXPECT_EQ(to_base32(bytes_of("fo")), "mzxq");
  EXPECT_EQ(to_base32(bytes_of("foo")), "mzxw6");
  EXPECT_EQ(to_base32(bytes_of("foob")), "mzxw6yq");
  EXPECT_EQ(to_base32(bytes_of("fooba")), "mzxw6ytb");
  EXPECT_EQ(to_base32(bytes_of("foobar")), "mzxw6ytboi");
}

TEST(Base32, ComesBackFromEitherCase) {
  for (std::size_t size = 0; size < 70; ++size) {
    const auto bytes = pattern(size, size);
    std::string text = to_base32(bytes);
    EXPECT_EQ(from_base32(text, size).value(), bytes);
    for (char& letter : text) letter = static_cast<char>(std::toupper(letter));
    EXPECT_EQ(from_base32(text, size).value(), bytes);
  }
}

// Two texts for the same bytes would be two names for one key.
TEST(Base32, RefusesWhatNoBytesAreWrittenAs) {
  for (const char* text : {"m", "mzx", "mzxw6y", "mz1q", "my======", "m y", "mz", "mzxr", "-"})
    EXPECT_TRUE(from_base32(text, 100).is(Errc::corrupt)) << text;
}

TEST(Base32, RefusesMoreThanItsMaximum) {
  EXPECT_TRUE(from_base32("mzxw6", 3));
  EXPECT_TRUE(from_base32("mzxw6", 2).is(Errc::limit));
  EXPECT_TRUE(from_base32(std::string(1000, 'a'), 2).is(Errc::limit));
}

}  // namespace
}  // namespace drystone
