#include "cluster/members/join.h"

#include <boost/json.hpp>

#include "base/base32.h"
#include "base/check.h"
#include "cluster/members/member_json.h"
#include "cluster/wire/json_fields.h"

namespace drystone::cluster {
namespace {

constexpr std::size_t kExporterBytesMin = 32;
constexpr std::size_t kDiscoveryBytesMax = 4096;

}  // namespace

Digest join_proof(const SecretKey& invitation_key, JoinRole role, const JoinBinding& binding,
                  const Crypto& crypto) {
  CHECK(binding.exporter.size() >= kExporterBytesMin, binding.exporter.size());
  std::string bytes =
      role == JoinRole::joining ? "drystone join v1 joining\n" : "drystone join v1 member\n";
  bytes += bytes_of(binding.joining);
  bytes += bytes_of(binding.member);
  bytes += binding.exporter;
  return crypto.hmac_sha256(bytes_of(invitation_key), bytes);
}

std::string to_json(const JoinRequest& request) {
  return boost::json::serialize(boost::json::object{{"invitation", request.invitation},
                                                    {"name", request.name},
                                                    {"proof", to_base32(request.proof)}});
}

Result<JoinRequest> parse_join_request(std::string_view json) {
  const auto value = TRY(parse_json(json, {.bytes_max = kJoinRequestBytesMax, .depth_max = 1}));
  JsonFields fields(value, "request to join");
  JoinRequest request;
  std::uint64_t invitation = 0;
  fields.hex64("invitation", invitation);
  request.invitation = to_hex64(invitation);
  fields.text("name", request.name, kNameBytesMax);
  fields.bytes("proof", request.proof);
  TRY(fields.finish_strictly());
  TRY(check_name(request.name));
  return request;
}

std::string to_json(const JoinWelcome& welcome) {
  return boost::json::serialize(boost::json::object{{"proof", to_base32(welcome.proof)},
                                                    {"members", welcome.members},
                                                    {"discovery", welcome.discovery}});
}

Result<JoinWelcome> parse_join_welcome(std::string_view json) {
  const auto value = TRY(parse_json(json, {.bytes_max = kJoinWelcomeBytesMax, .depth_max = 1}));
  JsonFields fields(value, "welcome");
  JoinWelcome welcome;
  fields.bytes("proof", welcome.proof);
  fields.text("members", welcome.members, kMemberListBytesMax);
  fields.text("discovery", welcome.discovery, kDiscoveryBytesMax);
  TRY(fields.finish_strictly());
  return welcome;
}

JoinRequest make_join_request(const InvitationSecret& secret, std::string_view name,
                              const JoinBinding& binding, const Crypto& crypto) {
  const SecretKey key = invitation_key(secret, crypto);
  return {.invitation = invitation_id(secret, crypto),
          .name = std::string(name),
          .proof = join_proof(key, JoinRole::joining, binding, crypto)};
}

Result<MemberList> accept_welcome(const JoinWelcome& welcome, const InvitationSecret& secret,
                                  const JoinBinding& binding, const Crypto& crypto) {
  const Digest expected =
      join_proof(invitation_key(secret, crypto), JoinRole::member, binding, crypto);
  if (!equal_in_constant_time(expected, welcome.proof))
    return Error(
        Errc::corrupt,
        "the other side does not know this invitation: it is of another cluster, or false");
  MemberList members = TRY(parse_member_list(welcome.members, crypto));
  if (!members.is_member(binding.member))
    return Error(Errc::corrupt, "the welcome's member list lacks the member that sent it");
  if (!members.is_member(binding.joining))
    return Error(Errc::corrupt, "the welcome's member list lacks this node");
  return members;
}

}  // namespace drystone::cluster
