#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cluster/members/invitation.h"
#include "cluster/members/member_list.h"
#include "cluster/wire/crypto.h"

// How a new node comes in, over one TLS connection on which both sides have proved their keys:
// the joining node sends a JoinRequest, the member answers with a JoinWelcome or refuses.
// Each proves that it knows the invitation, bound to this very connection, so neither a stranger
// between the two nor one who has recorded another connection can use what it sees.
namespace drystone::cluster {

constexpr std::size_t kJoinRequestBytesMax = 4096;
constexpr std::size_t kJoinWelcomeBytesMax = 6 << 20;  // a member list inside a JSON string

// What makes a connection this one and no other.
struct JoinBinding {
  std::string exporter;  // RFC 5705 exporter value of the connection, at least 32 bytes
  PublicKey joining{};   // the keys that the TLS handshake proved
  PublicKey member{};
};

// The roles are labels inside the proofs: one side's proof is never the other's.
enum class JoinRole { joining, member };

Digest join_proof(const SecretKey& invitation_key, JoinRole role, const JoinBinding& binding,
                  const Crypto& crypto);

struct JoinRequest {
  std::string invitation;  // id
  std::string name;        // of the node
  Digest proof{};
};

struct JoinWelcome {
  Digest proof{};
  std::string members;    // MemberList as JSON, the new member in it
  std::string discovery;  // value of the map's `cluster/discovery`
};

std::string to_json(const JoinRequest& request);
Result<JoinRequest> parse_join_request(std::string_view json);
std::string to_json(const JoinWelcome& welcome);
Result<JoinWelcome> parse_join_welcome(std::string_view json);

// The joining side. `secret` from the code.
JoinRequest make_join_request(const InvitationSecret& secret, std::string_view name,
                              const JoinBinding& binding, const Crypto& crypto);
// Errors: corrupt (the proof is wrong: the other side does not know the invitation, so nothing it
//         said may be believed; the list is not valid, or this node or the member is not in it)
Result<MemberList> accept_welcome(const JoinWelcome& welcome, const InvitationSecret& secret,
                                  const JoinBinding& binding, const Crypto& crypto);

}  // namespace drystone::cluster
