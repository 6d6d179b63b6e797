#include "cluster/members/invitation.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/base32.h"
#include "cluster/wire/json_fields.h"

namespace drystone::cluster {
namespace {

void append_number(std::string& out, std::uint64_t number) {
  for (int i = 7; i >= 0; --i) out += static_cast<char>(number >> (8 * i) & 0xff);
}

std::string signed_bytes(const ClusterId& cluster, const Invitation& invitation) {
  std::string bytes("drystone invitation v1\n");
  bytes += bytes_of(cluster);
  bytes += invitation.id;
  bytes += bytes_of(invitation.key);
  append_number(bytes, static_cast<std::uint64_t>(invitation.expires_s));
  append_number(bytes, invitation.uses);
  bytes += bytes_of(invitation.made_by);
  bytes += bytes_of(invitation.removed);
  return bytes;
}

Error refused(std::string message) { return Error(Errc::invalid_argument, std::move(message)); }

}  // namespace

InvitationSecret make_invitation_secret(Crypto& crypto) {
  InvitationSecret secret;
  crypto.random(secret);
  return secret;
}

std::string invitation_id(const InvitationSecret& secret, const Crypto& crypto) {
  const Digest digest = crypto.hmac_sha256(bytes_of(secret), "drystone invitation id");
  std::uint64_t id = 0;
  for (int i = 0; i < 8; ++i) id = id << 8 | digest[i];
  return to_hex64(id);
}

SecretKey invitation_key(const InvitationSecret& secret, const Crypto& crypto) {
  return crypto.hmac_sha256(bytes_of(secret), "drystone invitation key");
}

SecretKey invitation_discovery_key(const SecretKey& invitation_key, const Crypto& crypto) {
  return crypto.hmac_sha256(bytes_of(invitation_key), "drystone invitation discovery");
}

Result<Invitation> make_invitation(const InvitationSecret& secret, const InvitationTerms& terms,
                                   const MemberList& members, const Crypto& crypto) {
  if (terms.uses == 0 || terms.uses > kInvitationUsesMax)
    return refused(
        fmt::format("an invitation lets in 1 to {} nodes, not {}", kInvitationUsesMax, terms.uses));
  if (terms.expires_s < 0) return refused("an invitation cannot end before 1970");
  if (!members.is_member(crypto.public_key()))
    return refused("this node is no member of the cluster");
  Invitation invitation{.id = invitation_id(secret, crypto),
                        .key = invitation_key(secret, crypto),
                        .expires_s = terms.expires_s,
                        .uses = terms.uses,
                        .made_by = crypto.public_key(),
                        .removed = members.removed_digest()};
  invitation.signature = crypto.sign(signed_bytes(members.cluster(), invitation));
  return invitation;
}

Result<void> check_invitation(const Invitation& invitation, std::uint32_t used, std::int64_t wall_s,
                              const MemberList& members, const Crypto& crypto) {
  if (!crypto.verify(invitation.made_by, signed_bytes(members.cluster(), invitation),
                     invitation.signature))
    return refused("the invitation was not made by a member of this cluster");
  if (invitation.removed != members.removed_digest())
    return refused(
        "the invitation is void, because a node has gone since it was made: ask for a new one");
  if (!members.is_member(invitation.made_by))
    return refused("the invitation was not made by a member of this cluster");
  if (wall_s >= invitation.expires_s)
    return refused("the invitation has expired: ask for a new one");
  if (used >= invitation.uses)
    return refused(fmt::format("the invitation is used up: it let in {} of {}; ask for a new one",
                               used, invitation.uses));
  return {};
}

std::string to_json(const Invitation& invitation) {
  return boost::json::serialize(
      boost::json::object{{"id", invitation.id},
                          {"key", to_base32(invitation.key)},
                          {"expires", invitation.expires_s},
                          {"uses", invitation.uses},
                          {"by", to_base32(invitation.made_by)},
                          {"removed", to_base32(invitation.removed)},
                          {"signature", to_base32(invitation.signature)}});
}

Result<Invitation> parse_invitation(std::string_view json) {
  const auto value = TRY(parse_json(json, {.bytes_max = kInvitationBytesMax, .depth_max = 1}));
  JsonFields fields(value, "invitation");
  Invitation invitation;
  std::uint64_t id = 0;
  fields.hex64("id", id);
  invitation.id = to_hex64(id);
  fields.bytes("key", invitation.key);
  fields.integer("expires", invitation.expires_s, 0, kJsonNumberMax);
  fields.integer("uses", invitation.uses, 0, kInvitationUsesMax);
  fields.bytes("by", invitation.made_by);
  fields.bytes("removed", invitation.removed);
  fields.bytes("signature", invitation.signature);
  TRY(fields.finish_strictly());
  return invitation;
}

}  // namespace drystone::cluster
