#include "cluster/core/cluster_core.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/check.h"

namespace drystone::cluster {
namespace {

using Kind = ClusterEvent::Kind;

std::int64_t ms_of(ClusterCore::Wall wall) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(wall.time_since_epoch()).count();
}

}  // namespace

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::node_alive:
      return "node_alive";
    case Kind::node_suspect:
      return "node_suspect";
    case Kind::node_dead:
      return "node_dead";
    case Kind::node_left:
      return "node_left";
    case Kind::node_restarted:
      return "node_restarted";
    case Kind::member_added:
      return "member_added";
    case Kind::member_removed:
      return "member_removed";
    case Kind::removed_self:
      return "removed_self";
    case Kind::key_changed:
      return "key_changed";
  }
  return "?";
}

ClusterCore::ClusterCore(MemberList members, Crypto& crypto, const Options& options, Wall wall)
    : crypto_(crypto),
      members_(std::move(members)),
      membership_(node_id(crypto.public_key(), crypto), options.start, options.seed),
      map_(self()),
      sync_(map_),
      wall_ms_(ms_of(wall)) {
  CHECK(options.start < kStartMax, options.start);
}

std::uint64_t ClusterCore::members_digest() const {
  std::uint64_t digest = 0;
  for (int i = 0; i < 8; ++i) digest = digest << 8 | members_.digest()[i];
  return digest;
}

void ClusterCore::event(Kind kind, const NodeId& node, std::string key) {
  CHECK(events_.size() < kEventsMax, "take_events is not called");
  events_.push_back({kind, node, std::move(key)});
}

void ClusterCore::tick(Time now, Wall wall) {
  now_ = now;
  wall_ms_ = ms_of(wall);
  follow_members();
  if (!members_.is_member(self())) return;
  membership_.tick(now);
  if (!tidied_at_ || now - *tidied_at_ >= kTidyInterval) {
    tidied_at_ = now;
    tidy();
  }
  follow();
}

Result<void> ClusterCore::receive(const NodeId& from, std::string_view text, Time now) {
  now_ = std::max(now_, now);
  if (!members_.is_member(self())) {
    bid_farewell(from);
    return Error(Errc::invalid_argument, "this node is no member any more");
  }
  auto parsed = parse_message(text);
  if (!parsed) return std::move(parsed).error().with("message of " + from);
  const Message& message = *parsed;
  if (message.cluster != members_.cluster())
    return Error(Errc::corrupt, fmt::format("message of {}: it is of another cluster", from));

  Result<void> result;
  receive_members(from, message, result);
  if (members_.is_member(from)) {
    membership_.receive(from, message.membership, now_);
    auto taken = sync_.receive(
        from, message.state, [&](const NodeId& id) { return members_.is_member(id); }, now_,
        wall_ms_);
    if (!taken && result) result = std::move(taken);
    compare_members(from, message.members, now_);
  } else {
    bid_farewell(from);
    result = Error(Errc::invalid_argument, "it is no member");
  }
  follow();
  if (!result) return std::move(result).error().with("message of " + from);
  return {};
}

void ClusterCore::receive_members(const NodeId& from, const Message& message,
                                  Result<void>& result) {
  if (message.entries.empty() && message.removals.empty()) return;
  std::vector<MemberEntry> entries = message.entries;
  // One that was put out must not sign anew, with other names and ever again, what it had signed.
  if (!members_.is_member(from))
    std::erase_if(entries, [&](const MemberEntry& entry) {
      return members_.find_entry(entry.key, entry.added_by) != nullptr;
    });
  auto merged = members_.merge(entries, {}, crypto_);
  // Nor put out others.
  if (members_.is_member(from)) {
    auto removed = members_.merge({}, message.removals, crypto_);
    merged.removals = std::move(removed.removals);
    std::ranges::move(removed.refused, std::back_inserter(merged.refused));
  }
  // An unknown signer is not the sender's fault: the message that had it is late or lost.
  for (Error& refused : merged.refused)
    if (refused.code() != Errc::not_found && result) result = std::move(refused);
  if (!merged.changed()) return;
  push_members(merged.entries, merged.removals);
  members_out_.erase(from);
  follow_members();
}

// News of members are few, and who is put out must be out soon: everybody pushes what is new to it.
void ClusterCore::push_members(const std::vector<MemberEntry>& entries,
                               const std::vector<Removal>& removals) {
  for (const NodeId& id : membership_.choose_alive(kFanout)) {
    MembersOut& out = members_out_[id];
    out.entries.insert(out.entries.end(), entries.begin(), entries.end());
    out.removals.insert(out.removals.end(), removals.begin(), removals.end());
  }
  unsaved_ = true;
}

void ClusterCore::compare_members(const NodeId& from, std::uint64_t theirs, Time now) {
  MembersPeer& peer = members_peers_[from];
  const std::uint64_t ours = members_digest();
  if (theirs == ours) {
    peer.interval = kMembersExchangeInterval;
    return;
  }
  const bool changed = ours != peer.compared_digest;
  if (now - peer.compared_at < (changed ? kMembersExchangeInterval : peer.interval)) return;
  peer.interval =
      changed ? kMembersExchangeInterval : std::min(peer.interval * 2, kMembersExchangeIntervalMax);
  peer.compared_at = now;
  peer.compared_digest = ours;
  members_out_[from] = {.entries = members_.entries(), .removals = members_.removals()};
}

// Who was put out learns it, so that it knows why nobody speaks to it; so does one that was let in
// by a node that was removed, if the removers did not know of it.
void ClusterCore::bid_farewell(const NodeId& outsider) {
  const PublicKey* key = members_.key_of(outsider);
  if (!key) return;
  const auto [told, is_first] = farewells_.try_emplace(outsider, now_);
  if (!is_first && now_ - told->second < kFarewellInterval) return;
  told->second = now_;
  MembersOut farewell{.removals = members_.removals()};
  if (members_.is_member(self()) && members_.is_removed(*key))
    std::erase_if(farewell.removals, [&](const Removal& removal) { return removal.key != *key; });
  farewell.entries = members_.proof(farewell.removals);  // it may have been away
  members_out_[outsider] = std::move(farewell);
}

void ClusterCore::heard_of(const NodeId& id, Time now) {
  now_ = std::max(now_, now);
  if (members_.is_member(self()) && !members_.is_member(id)) bid_farewell(id);
}

void ClusterCore::follow_members() {
  if (followed_digest_ == members_.digest()) return;
  followed_digest_ = members_.digest();
  std::set<NodeId> members;
  for (const auto& [id, member] : members_.members()) members.insert(id);
  if (members == followed_) return;
  const std::set<NodeId> before = std::exchange(followed_, members);
  for (const NodeId& id : members)
    if (!before.contains(id) && !before.empty()) event(Kind::member_added, id);
  membership_.set_members(members, now_);
  for (const NodeId& id : before) {
    if (members.contains(id)) continue;
    for (std::string& key : map_.forget_owner(id)) event(Kind::key_changed, {}, std::move(key));
    sync_.forget(id);
    members_peers_.erase(id);
    if (id == self()) {
      event(Kind::removed_self, id);
    } else {
      bid_farewell(id);
      event(Kind::member_removed, id);
    }
  }
  unsaved_ = true;
}

void ClusterCore::follow_map() {
  const std::vector<StateMap::Change> changes = map_.take_changes();
  if (changes.empty()) return;
  const std::vector<NodeId> targets = membership_.choose_alive(kFanout);
  // In a small cluster the writer reaches everybody itself.
  const bool relay = membership_.alive().size() > kFanout + 1;
  for (const StateMap::Change& change : changes) {
    event(Kind::key_changed, {}, change.key);
    if (change.local || relay) sync_.push(targets, change.key);
    unsaved_ = unsaved_ || owner_of(change.key).empty();
  }
}

void ClusterCore::follow() {
  follow_members();
  follow_map();
  for (const NodeEvent& node : membership_.take_events()) {
    constexpr std::pair<NodeEvent::Kind, Kind> kKinds[] = {
        {NodeEvent::Kind::alive, Kind::node_alive},
        {NodeEvent::Kind::suspect, Kind::node_suspect},
        {NodeEvent::Kind::dead, Kind::node_dead},
        {NodeEvent::Kind::left, Kind::node_left},
        {NodeEvent::Kind::restarted, Kind::node_restarted}};
    for (const auto& [from, to] : kKinds)
      if (from == node.kind) event(to, node.node);
  }
  if (!settled_ && membership_.settled()) {
    const std::vector<NodeId> alive = membership_.alive();
    settled_ = alive.size() == 1 ||
               std::ranges::any_of(alive, [&](const NodeId& id) { return sync_.in_step(id); });
  }
}

void ClusterCore::stop() {
  membership_.leave();
  follow();
}

std::vector<ClusterEvent> ClusterCore::take_events() { return std::exchange(events_, {}); }

std::vector<Outgoing> ClusterCore::take_outbox() {
  std::map<NodeId, Message> messages;
  const auto to = [&](const NodeId& id) -> Message& {
    const auto [at, is_new] = messages.try_emplace(id);
    if (is_new) {
      at->second.cluster = members_.cluster();
      at->second.membership = membership_.header();
      at->second.state.digest = map_.digest();
      at->second.members = members_digest();
    }
    return at->second;
  };
  for (Membership::Out& out : membership_.take_outputs())
    to(out.to).membership = std::move(out.part);
  // To whom we are not alive we may be unknown: it was away when we came.
  std::vector<MemberEntry> chain;
  for (auto& [id, message] : messages) {
    if (membership_.state(id) != NodeState::dead) continue;
    if (chain.empty()) chain = members_.chain(crypto_.public_key());
    message.entries = chain;
  }
  for (auto& [id, out] : std::exchange(members_out_, {})) {
    Message& message = to(id);
    message.entries.insert(message.entries.end(), out.entries.begin(), out.entries.end());
    message.removals = std::move(out.removals);
  }
  for (StateSync::Out& out : sync_.take_outputs()) {
    out.part.digest = map_.digest();
    to(out.to).state = std::move(out.part);
  }
  std::vector<Outgoing> outbox;
  for (const auto& [id, message] : messages)
    for (std::string& text : to_texts(message)) outbox.push_back({id, std::move(text)});
  return outbox;
}

Result<void> ClusterCore::put(std::string_view key, std::string_view json, Wall wall) {
  wall_ms_ = ms_of(wall);
  TRY(map_.put(key, json, wall_ms_));
  follow();
  return {};
}

Result<void> ClusterCore::erase(std::string_view key, Wall wall) {
  wall_ms_ = ms_of(wall);
  TRY(map_.erase(key, wall_ms_));
  follow();
  return {};
}

Result<void> ClusterCore::remove(const NodeId& id, Wall wall) {
  const MemberList::Member* member = members_.find(id);
  if (!member) return Error(Errc::not_found, fmt::format("{} is no member of the cluster", id));
  wall_ms_ = ms_of(wall);
  const Removal removal = TRY(members_.remove(PublicKey(member->key), crypto_));
  follow_members();
  push_members({}, {removal});
  if (id != self()) change_discovery_key();
  follow();
  return {};
}

}  // namespace drystone::cluster
