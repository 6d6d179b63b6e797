#include "cluster/membership/node_table.h"

#include <algorithm>
#include <utility>

#include "cluster/wire/hash64.h"

namespace drystone::cluster {
namespace {

std::uint64_t hash_of(const NodeRecord& record) {
  return Hash64()
      .add(record.id)
      .add(record.start)
      .add(record.incarnation)
      .add(static_cast<std::uint64_t>(record.state))
      .value();
}

}  // namespace

NodeTable::NodeTable(NodeId self, std::uint64_t start)
    : self_{.id = std::move(self), .start = start} {}

void NodeTable::set_members(const std::set<NodeId>& members, Time now) {
  std::erase_if(others_, [&](const auto& entry) { return !members.contains(entry.first); });
  for (const NodeId& id : members) {
    if (id == self_.id) continue;
    const auto [at, is_new] = others_.try_emplace(id);
    if (is_new) at->second = {.record = {.id = id, .state = NodeState::dead}, .known_since = now};
  }
  digest_.reset();
}

void NodeTable::begin(Time now) {
  for (auto& [id, node] : others_) node.known_since = now;
}

const NodeTable::Node* NodeTable::find(const NodeId& id) const {
  const auto found = others_.find(id);
  return found == others_.end() ? nullptr : &found->second;
}

bool NodeTable::is_alive(const Node& node) const {
  return node.heard &&
         (node.record.state == NodeState::alive || node.record.state == NodeState::suspect);
}

bool NodeTable::learn(const NodeRecord& record, Time now) {
  if (record.id == self_.id) return contradict(record), true;
  const auto found = others_.find(record.id);
  if (found == others_.end()) return false;
  Node& node = found->second;
  if (node.heard && !supersedes(record, node.record)) return true;
  if (record.state == NodeState::dead && node.direct_at && is_alive(node) &&
      record.start == node.record.start && now - *node.direct_at < kFreshContact) {
    // It spoke to us: what others say makes it suspect, so that it hears of it and contradicts.
    NodeRecord doubted = record;
    doubted.state = NodeState::suspect;
    if (supersedes(doubted, node.record)) apply(node, doubted, now);
    return false;
  }
  apply(node, record, now);
  return true;
}

void NodeTable::contradict(const NodeRecord& record) {
  if (self_.state == NodeState::left || record.start >= kStartMax) return;
  if (record.start > self_.start) {  // our clock went back since an earlier life
    self_.start = record.start + 1;
    self_.incarnation = 0;
  } else if (supersedes(record, self_)) {
    self_.incarnation = record.incarnation + 1;
  } else {
    return;
  }
  self_tell_rounds_ = kTellRounds;
  digest_.reset();
}

void NodeTable::apply(Node& node, const NodeRecord& record, Time now) {
  using Kind = NodeEvent::Kind;
  const bool was_known = node.heard;
  const NodeRecord before = std::exchange(node.record, record);
  node.heard = true;
  // It contradicted somebody, so it speaks to somebody.
  if (record.state == NodeState::alive) node.heard_at = now;
  node.tell_rounds = kTellRounds;
  digest_.reset();
  if (record.state != NodeState::suspect) {
    node.suspect_since.reset();
  } else if (before.state != NodeState::suspect || before.start != record.start) {
    node.suspect_since = now;
  }
  const bool is_gone = record.state == NodeState::dead || record.state == NodeState::left;
  if (was_known && !is_gone && record.start != before.start)
    events_.push_back({Kind::restarted, record.id});
  if (was_known && record.state == before.state) return;
  switch (record.state) {
    case NodeState::alive:
      events_.push_back({Kind::alive, record.id});
      break;
    case NodeState::suspect:
      if (!was_known || before.state == NodeState::dead || before.state == NodeState::left)
        events_.push_back({Kind::alive, record.id});
      events_.push_back({Kind::suspect, record.id});
      break;
    case NodeState::dead:
      if (was_known) events_.push_back({Kind::dead, record.id});
      break;
    case NodeState::left:
      if (was_known) events_.push_back({Kind::left, record.id});
      break;
  }
}

void NodeTable::heard_from(const NodeId& id, bool direct, Time now) {
  const auto found = others_.find(id);
  if (found == others_.end()) return;
  found->second.heard_at = now;
  if (direct) found->second.direct_at = now;
}

void NodeTable::forgive(Time pause, Time now) {
  const auto shift = [&](std::optional<Time>& time) {
    if (time) time = std::min(*time + pause, now);
  };
  for (auto& [id, node] : others_) {
    shift(node.direct_at);
    shift(node.heard_at);
    shift(node.suspect_since);
    node.known_since = std::min(node.known_since + pause, now);
  }
}

void NodeTable::stop() {
  ++self_.incarnation;
  self_.state = NodeState::left;
  digest_.reset();
}

std::uint64_t NodeTable::digest() const {
  if (!digest_) {
    std::uint64_t all = hash_of(self_);
    for (const auto& [id, node] : others_)
      if (node.heard) all ^= hash_of(node.record);
    digest_ = all;
  }
  return *digest_;
}

std::vector<NodeRecord> NodeTable::take_rumours(std::size_t count_max) {
  std::vector<NodeRecord> rumours;
  const auto take = [&](const NodeRecord& record, int& rounds) {
    if (rounds == 0 || rumours.size() == count_max) return;
    --rounds;
    rumours.push_back(record);
  };
  take(self_, self_tell_rounds_);
  for (auto& [id, node] : others_)
    if (node.heard) take(node.record, node.tell_rounds);
  return rumours;
}

std::vector<NodeRecord> NodeTable::records() const {
  std::vector<NodeRecord> all;
  for (const auto& [id, node] : others_)
    if (node.heard) all.push_back(node.record);
  return all;
}

std::vector<NodeEvent> NodeTable::take_events() { return std::exchange(events_, {}); }

}  // namespace drystone::cluster
