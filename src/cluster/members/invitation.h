#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cluster/members/member_list.h"
#include "cluster/wire/crypto.h"

namespace drystone::cluster {

constexpr std::size_t kInvitationSecretBytes = 15;  // 24 letters of base32
constexpr std::uint32_t kInvitationUsesMax = 1024;

using InvitationSecret = std::array<std::uint8_t, kInvitationSecretBytes>;

// What members keep of an invitation, in the replicated map as `invite/<id>`. The secret itself is
// known to its maker until it is printed, and to whoever was given the code. `key` is made from the
// secret and serves for both proofs, so every member can check a joining node.
//
// An invitation is void once any member was removed that the maker did not know as removed: that
// one has read the key from the map.
struct Invitation {
  std::string id;              // 16 hex digits, made from the secret
  SecretKey key{};             // HMAC key of the proofs
  std::int64_t expires_s = 0;  // wall time, seconds since 1970 UTC, by the clock of who admits
  std::uint32_t uses = 1;
  PublicKey made_by{};
  Digest removed{};       // MemberList::removed_digest when it was made
  Signature signature{};  // of made_by, over all above and the cluster's id

  bool operator==(const Invitation&) const = default;
};

struct InvitationTerms {
  std::int64_t expires_s = 0;
  std::uint32_t uses = 1;
};

InvitationSecret make_invitation_secret(Crypto& crypto);
std::string invitation_id(const InvitationSecret& secret, const Crypto& crypto);
SecretKey invitation_key(const InvitationSecret& secret, const Crypto& crypto);
// The key of the discovery packets' tag by which a joining node is found, and finds.
SecretKey invitation_discovery_key(const SecretKey& invitation_key, const Crypto& crypto);

// Errors: invalid_argument (uses outside 1..1024; this node is no member)
Result<Invitation> make_invitation(const InvitationSecret& secret, const InvitationTerms& terms,
                                   const MemberList& members, const Crypto& crypto);

// May it let one more in, after `used` others?
// Errors: invalid_argument, with the reason a person can act on (expired, used up, void)
Result<void> check_invitation(const Invitation& invitation, std::uint32_t used, std::int64_t wall_s,
                              const MemberList& members, const Crypto& crypto);

constexpr std::size_t kInvitationBytesMax = 1024;  // as JSON

std::string to_json(const Invitation& invitation);
Result<Invitation> parse_invitation(std::string_view json);

}  // namespace drystone::cluster
