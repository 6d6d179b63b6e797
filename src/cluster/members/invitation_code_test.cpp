#include "cluster/members/invitation_code.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>

namespace drystone::cluster {
namespace {

InvitationCode sample() {
  InvitationCode code;
  for (std::size_t i = 0; i < code.secret.size(); ++i)
    code.secret[i] = static_cast<std::uint8_t>(17 * i + 3);
  return code;
}

TEST(InvitationCode, IsSevenGroupsOfFour) {
  const std::string text = to_text(sample());
  EXPECT_EQ(text.size(), 7 * 4 + 6U);
  EXPECT_EQ(std::ranges::count(text, '-'), 6);
  EXPECT_EQ(*parse_invitation_code(text), sample());
}

TEST(InvitationCode, CarriesAddresses) {
  InvitationCode code = sample();
  code.addresses = {"192.0.2.7:8399", "[2001:db8::1]:8399", "atlas.local:8399"};
  const std::string text = to_text(code);
  EXPECT_TRUE(text.ends_with("@192.0.2.7:8399,[2001:db8::1]:8399,atlas.local:8399")) << text;
  EXPECT_EQ(*parse_invitation_code(text), code);
}

// It is read from a screen and typed on another machine.
TEST(InvitationCode, CaseSpacesAndDashesMakeNoDifference) {
  InvitationCode code = sample();
  code.addresses = {"atlas:8399"};
  std::string text = to_text(code);
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
  EXPECT_EQ(*parse_invitation_code("  " + text + "\n"), code);
  std::erase(text, '-');
  EXPECT_EQ(*parse_invitation_code(text), code);
}

TEST(InvitationCode, EveryTypoIsSaid) {
  InvitationCode code = sample();
  code.addresses = {"10.0.0.7:8399"};
  const std::string text = to_text(code);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '-' || text[i] == '@') continue;
    for (const char other : std::string_view("abcxyz234567")) {
      std::string typo = text;
      if (typo[i] == other) continue;
      typo[i] = other;
      EXPECT_TRUE(parse_invitation_code(typo).is(Errc::invalid_argument)) << typo;
    }
  }
  std::string swapped = to_text(sample());
  std::swap(swapped[1], swapped[2]);
  EXPECT_EQ(parse_invitation_code(swapped).error().message(),
            "this is no invitation code: its last group does not fit the rest, so somewhere there "
            "is a typo");
}

TEST(InvitationCode, SaysWhatIsWrong) {
  const auto error = [](std::string_view text) {
    return parse_invitation_code(text).error().message();
  };
  EXPECT_EQ(error("abcd"), "this is no invitation code: it has 4 letters and digits instead of 28");
  EXPECT_EQ(error("ab1d"),
            "this is no invitation code: no code has the digit 1 (it may be the letter I or L)");
  EXPECT_EQ(error("ab_d"),
            "this is no invitation code: it has a character that is neither a letter nor a digit "
            "from 2 to 7");
  const std::string good = to_text(sample());
  EXPECT_TRUE(parse_invitation_code(good + "@").is(Errc::invalid_argument));
  EXPECT_TRUE(parse_invitation_code(good + "@host").is(Errc::invalid_argument));
  EXPECT_TRUE(parse_invitation_code(good + "@host:99999").is(Errc::invalid_argument));
  EXPECT_TRUE(parse_invitation_code(std::string(10000, 'a')).is(Errc::invalid_argument));
}

}  // namespace
}  // namespace drystone::cluster
