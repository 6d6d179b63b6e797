#include "base/base32.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace drystone {
namespace {

std::vector<std::uint8_t> bytes(std::string_view text) { return {text.begin(), text.end()}; }

// Ids and codes are read by other programs and people: the alphabet is RFC 4648's, section 10.
TEST(Base32, WritesTheVectorsOfTheStandard) {
  EXPECT_EQ(to_base32(bytes("")), "");
  EXPECT_EQ(to_base32(bytes("f")), "my");
  EXPECT_EQ(to_base32(bytes("fo")), "mzxq");
  EXPECT_EQ(to_base32(bytes("foo")), "mzxw6");
  EXPECT_EQ(to_base32(bytes("foob")), "mzxw6yq");
  EXPECT_EQ(to_base32(bytes("fooba")), "mzxw6ytb");
  EXPECT_EQ(to_base32(bytes("foobar")), "mzxw6ytboi");
}

TEST(Base32, ReadsWhatItWrites) {
  std::array<std::uint8_t, 6> read;
  ASSERT_TRUE(from_base32("mzxw6ytboi", read));
  EXPECT_EQ(to_base32(read), "mzxw6ytboi");
  ASSERT_TRUE(from_base32("MZXW6YTBOI", read));
  EXPECT_EQ(to_base32(read), "mzxw6ytboi");
}

// Two texts for the same bytes would be two names for one node.
TEST(Base32, RefusesAllButTheOneForm) {
  std::array<std::uint8_t, 1> read;
  EXPECT_TRUE(from_base32("my", read));
  EXPECT_TRUE(from_base32("mz", read).is(Errc::corrupt));
  EXPECT_TRUE(from_base32("m", read).is(Errc::corrupt));
  EXPECT_TRUE(from_base32("m1", read).is(Errc::corrupt));
  EXPECT_TRUE(from_base32("my======", read).is(Errc::corrupt));
}

}  // namespace
}  // namespace drystone
