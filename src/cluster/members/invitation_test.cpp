#include "cluster/members/invitation.h"

#include <gtest/gtest.h>

#include "cluster/members/join.h"
#include "cluster/members/member_json.h"
#include "cluster/wire/test_crypto.h"

namespace drystone::cluster {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;

struct Invited {
  TestCrypto atlas{1}, nova{2}, guest{3};
  MemberList list = *MemberList::found({7}, "atlas", atlas);
  InvitationSecret secret = make_invitation_secret(atlas);
  Invitation invitation;
  JoinBinding binding{.exporter = std::string(32, 'e'),
                      .joining = guest.public_key(),
                      .member = atlas.public_key()};

  explicit Invited(std::uint32_t uses = 2) {
    EXPECT_TRUE(list.admit(nova.public_key(), "nova", atlas));
    invitation = *make_invitation(secret, {.expires_s = kNow + 600, .uses = uses}, list, atlas);
  }
  std::string refusal(std::uint32_t used, std::int64_t at) const {
    const auto checked = check_invitation(invitation, used, at, list, nova);
    return checked ? "" : checked.error().message();
  }
};

TEST(Invitation, HoldsUntilItsTimeAndForItsUses) {
  const Invited in;
  EXPECT_EQ(in.refusal(0, kNow), "");
  EXPECT_EQ(in.refusal(1, kNow + 599), "");
  EXPECT_EQ(in.refusal(0, kNow + 600), "the invitation has expired: ask for a new one");
  EXPECT_EQ(in.refusal(2, kNow), "the invitation is used up: it let in 2 of 2; ask for a new one");
}

// A removed node has read all open invitations in the shared state.
TEST(Invitation, IsVoidOnceAnyNodeWasRemoved) {
  Invited in;
  ASSERT_TRUE(in.list.remove(in.nova.public_key(), in.atlas));
  EXPECT_EQ(in.refusal(0, kNow),
            "the invitation is void, because a node has gone since it was made: ask for a new one");
  // One that is made now is not.
  in.invitation = *make_invitation(in.secret, {.expires_s = kNow + 1}, in.list, in.atlas);
  EXPECT_EQ(in.refusal(0, kNow), "");
}

TEST(Invitation, IsSignedByItsMaker) {
  Invited in;
  in.invitation.uses = 100;
  EXPECT_EQ(in.refusal(5, kNow), "the invitation was not made by a member of this cluster");
  const TestCrypto stranger(9);
  EXPECT_TRUE(make_invitation(in.secret, {}, in.list, stranger).is(Errc::invalid_argument));
  EXPECT_TRUE(
      make_invitation(in.secret, {.uses = 0}, in.list, in.atlas).is(Errc::invalid_argument));
}

TEST(Invitation, ReadsWhatItWrites) {
  const Invited in;
  EXPECT_EQ(*parse_invitation(to_json(in.invitation)), in.invitation);
  EXPECT_TRUE(parse_invitation(R"({"id": "abc"})").is(Errc::corrupt));
}

// Both sides know the secret, and say so for this connection and in their own role only.
TEST(Join, BothSidesProveTheSecret) {
  Invited in;
  const JoinRequest request =
      *parse_join_request(to_json(make_join_request(in.secret, "guest", in.binding, in.guest)));
  EXPECT_EQ(request.invitation, in.invitation.id);
  EXPECT_EQ(request.proof, join_proof(in.invitation.key, JoinRole::joining, in.binding, in.atlas));

  ASSERT_TRUE(in.list.admit(in.guest.public_key(), request.name, in.atlas));
  JoinWelcome welcome{
      .proof = join_proof(in.invitation.key, JoinRole::member, in.binding, in.atlas),
      .members = to_json(in.list),
      .discovery = "{}"};
  welcome = *parse_join_welcome(to_json(welcome));
  const auto list = accept_welcome(welcome, in.secret, in.binding, in.guest);
  ASSERT_TRUE(list) << list.error().message();
  EXPECT_EQ(list->digest(), in.list.digest());

  JoinWelcome echoed = welcome;
  echoed.proof = request.proof;
  EXPECT_TRUE(accept_welcome(echoed, in.secret, in.binding, in.guest).is(Errc::corrupt));
  JoinBinding other = in.binding;
  other.exporter[0] = 'x';
  EXPECT_TRUE(accept_welcome(welcome, in.secret, other, in.guest).is(Errc::corrupt));
  other = in.binding;
  other.member = in.nova.public_key();
  EXPECT_TRUE(accept_welcome(welcome, in.secret, other, in.guest).is(Errc::corrupt));
  InvitationSecret wrong = in.secret;
  wrong[0] ^= 1;
  EXPECT_TRUE(accept_welcome(welcome, wrong, in.binding, in.guest).is(Errc::corrupt));
}

TEST(Join, AWelcomeWithoutUsIsRefused) {
  Invited in;
  const JoinWelcome welcome{
      .proof = join_proof(in.invitation.key, JoinRole::member, in.binding, in.atlas),
      .members = to_json(in.list)};
  EXPECT_EQ(accept_welcome(welcome, in.secret, in.binding, in.guest).error().message(),
            "the welcome's member list lacks this node");
}

}  // namespace
}  // namespace drystone::cluster
