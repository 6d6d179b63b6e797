// The part of ClusterCore that lets new nodes in and lets itself be found.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json.hpp>

#include "base/base32.h"
#include "cluster/core/cluster_core.h"
#include "cluster/members/member_json.h"
#include "cluster/wire/json_fields.h"

namespace drystone::cluster {
namespace {

namespace json = boost::json;

// Clocks differ: it ends by that of the node that is asked. And who comes late is told why, as long
// as strangers are listened to because of another one.
constexpr std::int64_t kExpiredKeptSeconds = 600;

std::int64_t seconds_of(ClusterCore::Wall wall) {
  return std::chrono::duration_cast<std::chrono::seconds>(wall.time_since_epoch()).count();
}

std::string invitation_key_of(std::string_view id) {
  return std::string(kInvitationPrefix) + std::string(id);
}

std::string invited_prefix(std::string_view id) {
  return std::string(kInvitedPrefix) + std::string(id) + "/";
}

// One text for all that a stranger must not tell apart.
Error unknown_invitation() {
  return Error(Errc::invalid_argument,
               "this cluster has no such invitation: it may have been withdrawn, or belong to "
               "another cluster");
}

}  // namespace

std::optional<Invitation> ClusterCore::invitation(std::string_view id) const {
  const std::string* value = map_.get(invitation_key_of(id));
  if (!value) return std::nullopt;
  auto invitation = parse_invitation(*value);
  if (!invitation || invitation->id != id) return std::nullopt;
  return *std::move(invitation);
}

std::uint32_t ClusterCore::used(std::string_view invitation_id) const {
  return static_cast<std::uint32_t>(map_.list(invited_prefix(invitation_id)).size());
}

Result<InvitationSecret> ClusterCore::invite(const InvitationTerms& terms, Wall wall) {
  if (terms.expires_s <= seconds_of(wall))
    return Error(Errc::invalid_argument, "an invitation must end in the future");
  if (invitations(wall).size() >= kInvitationsMax)
    return Error(
        Errc::limit,
        fmt::format("{} invitations are open, and no more may be: `drystone invite --list` "
                    "shows them, `drystone invite --withdraw ID` ends one",
                    kInvitationsMax));
  const InvitationSecret secret = make_invitation_secret(crypto_);
  const Invitation made = TRY(make_invitation(secret, terms, members_, crypto_));
  TRY(put(invitation_key_of(made.id), to_json(made), wall));
  return secret;
}

std::vector<OpenInvitation> ClusterCore::invitations(Wall wall) const {
  std::vector<OpenInvitation> open;
  for (const auto& [key, value] : map_.list(kInvitationPrefix)) {
    const auto found = invitation(std::string_view(key).substr(kInvitationPrefix.size()));
    if (!found) continue;
    const std::uint32_t count = used(found->id);
    if (check_invitation(*found, count, seconds_of(wall), members_, crypto_))
      open.push_back({found->id, found->expires_s, found->uses, count});
  }
  return open;
}

Result<std::string> ClusterCore::withdraw(std::string_view beginning, Wall wall) {
  constexpr std::size_t kBeginningMin = 4;
  std::vector<std::string> begun;
  if (beginning.size() >= kBeginningMin)
    for (const auto& [key, value] : map_.list(invitation_key_of(beginning)))
      begun.push_back(key.substr(kInvitationPrefix.size()));
  if (begun.empty())
    return Error(Errc::not_found,
                 fmt::format("there is no invitation {}; `drystone invite --list` shows those that "
                             "are open",
                             beginning));
  if (begun.size() > 1)
    return Error(Errc::invalid_argument,
                 fmt::format("{} invitations begin with {}: say more letters of one ({})",
                             begun.size(), beginning, fmt::join(begun, ", ")));
  TRY(erase(invitation_key_of(begun[0]), wall));
  return begun[0];
}

std::vector<SecretKey> ClusterCore::invitation_discovery_keys(Wall wall) const {
  std::vector<SecretKey> keys;
  for (const OpenInvitation& open : invitations(wall))
    keys.push_back(invitation_discovery_key(invitation(open.id)->key, crypto_));
  return keys;
}

Result<std::string> ClusterCore::answer_join(std::string_view request_json,
                                             const JoinBinding& binding, Wall wall) {
  const JoinRequest request = TRY(parse_join_request(request_json));
  if (binding.member != crypto_.public_key() || !members_.is_member(self()))
    return unknown_invitation();
  const auto found = invitation(request.invitation);
  if (!found) return unknown_invitation();
  const Digest expected = join_proof(found->key, JoinRole::joining, binding, crypto_);
  if (!equal_in_constant_time(expected, request.proof)) return unknown_invitation();

  // From here on it knows the secret.
  if (members_.is_removed(binding.joining))
    return Error(Errc::invalid_argument,
                 "the key of this node was removed from the cluster, for ever: it needs a new one");
  if (!members_.is_member(binding.joining)) {
    TRY(check_invitation(*found, used(found->id), seconds_of(wall), members_, crypto_));
    const MemberEntry entry = TRY(members_.admit(binding.joining, request.name, crypto_));
    // Should there be no room to count it, it is in all the same.
    (void)map_.put(invited_prefix(found->id) + node_id(binding.joining, crypto_), "true",
                   seconds_of(wall) * 1000);
    push_members({entry}, {});
    follow();
  }
  const MapEntry* discovery = map_.entry(kDiscoveryKey);
  return to_json(JoinWelcome{
      .proof = join_proof(found->key, JoinRole::member, binding, crypto_),
      .members = to_json(members_),
      .discovery = discovery ? json::serialize(to_json(*discovery)) : std::string("null")});
}

std::vector<SecretKey> ClusterCore::discovery_keys() const {
  std::vector<SecretKey> keys;
  const std::string* value = map_.get(kDiscoveryKey);
  if (!value) return keys;
  const auto parsed = parse_json(*value, {.bytes_max = kMapValueBytesMax, .depth_max = 4});
  if (!parsed) return keys;
  const json::array* texts = JsonFields(*parsed, "discovery").need_array("keys", kDiscoveryKeysMax);
  if (texts == nullptr) return keys;
  for (const json::value& element : *texts) {
    SecretKey key;
    const json::string* text = element.if_string();
    if (text && from_base32({text->data(), text->size()}, key)) keys.push_back(key);
  }
  return keys;
}

// Whether somebody was removed of whom the maker of the newest key did not know.
bool ClusterCore::is_discovery_key_old() const {
  const std::string* value = map_.get(kDiscoveryKey);
  if (!value) return true;
  const auto parsed = parse_json(*value, {.bytes_max = kMapValueBytesMax, .depth_max = 4});
  if (!parsed) return true;
  JsonFields fields(*parsed, "discovery");
  Digest removed;
  fields.bytes("removed", removed);
  return !fields.ok() || removed != members_.removed_digest();
}

// Who was put out knows the old one. Whoever is away now will announce itself by it, so it is
// listened to for some more changes.
void ClusterCore::change_discovery_key() {
  std::vector<SecretKey> keys = discovery_keys();
  if (keys.size() == kDiscoveryKeysMax) keys.pop_back();
  SecretKey fresh;
  crypto_.random(fresh);
  keys.insert(keys.begin(), fresh);
  json::array texts;
  for (const SecretKey& key : keys) texts.emplace_back(to_base32(key));
  const json::object value{{"keys", std::move(texts)},
                           {"removed", to_base32(members_.removed_digest())}};
  (void)map_.put(kDiscoveryKey, json::serialize(value), wall_ms_);  // full: the old one stays
}

// Old tombstones, invitations and keys. One node is enough for these: the first one alive.
void ClusterCore::tidy() {
  map_.prune(wall_ms_);
  const std::int64_t wall_s = wall_ms_ / 1000;
  if (!settled_ || membership_.alive().front() != self()) return;
  if (is_discovery_key_old()) change_discovery_key();
  for (const auto& [key, value] : map_.list(kInvitationPrefix)) {
    const auto found = invitation(std::string_view(key).substr(kInvitationPrefix.size()));
    if (!found || wall_s >= found->expires_s + kExpiredKeptSeconds) (void)map_.erase(key, wall_ms_);
  }
  for (const auto& [key, value] : map_.list(kInvitedPrefix)) {
    const std::string_view rest = std::string_view(key).substr(kInvitedPrefix.size());
    if (!map_.get(invitation_key_of(rest.substr(0, rest.find('/')))))
      (void)map_.erase(key, wall_ms_);
  }
}

}  // namespace drystone::cluster
