#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "cluster/membership/node_record.h"
#include "cluster/wire/node_id.h"

namespace drystone::cluster {

using Time = std::chrono::nanoseconds;  // Clock::monotonic

// A node that was heard from within this time is not taken for dead because others say so.
constexpr Time kFreshContact = std::chrono::milliseconds(1000);
constexpr int kTellRounds = 3;  // a new rumour is pushed to others in so many ticks

struct NodeEvent {
  enum class Kind { alive, suspect, dead, left, restarted };
  Kind kind = Kind::alive;
  NodeId node;

  bool operator==(const NodeEvent&) const = default;
};

// What this node believes of itself and the others, and by which records. Not thread-safe.
class NodeTable {
 public:
  struct Node {
    NodeRecord record;
    bool heard = false;  // of it or about it, since our start; else nobody knows: counted as dead
    Time known_since{};  // as a member
    std::optional<Time> direct_at;      // its last message to us
    std::optional<Time> heard_at;       // the same, or the last voucher or word of its own
    std::optional<Time> suspect_since;  // while it is suspect
    int tell_rounds = 0;                // in which its record is still pushed
  };

  NodeTable(NodeId self, std::uint64_t start);

  void set_members(const std::set<NodeId>& members, Time now);

  void begin(Time now);  // nobody had time to be heard of before

  // Takes a record that holds against what is believed. One about this node is contradicted if it
  // is not true. Returns whether it is true of what is believed now, or already was.
  bool learn(const NodeRecord& record, Time now);
  // A message of it, or a voucher for it. `direct`: from the node itself.
  void heard_from(const NodeId& id, bool direct, Time now);
  // Our own silence of `pause` is not held against others.
  void forgive(Time pause, Time now);
  void stop();  // this node's own record: left

  const NodeRecord& self() const { return self_; }
  const std::map<NodeId, Node>& others() const { return others_; }
  const Node* find(const NodeId& id) const;
  bool is_alive(const Node& node) const;  // or suspect
  std::uint64_t digest() const;           // equal for equal beliefs, but for chance

  // Records that are to be pushed in this tick, at most `count_max`; each such call is a round.
  std::vector<NodeRecord> take_rumours(std::size_t count_max);
  std::vector<NodeRecord> records() const;  // of all others that were heard of
  std::vector<NodeEvent> take_events();

 private:
  void contradict(const NodeRecord& record);
  void apply(Node& node, const NodeRecord& record, Time now);

  NodeRecord self_;
  int self_tell_rounds_ = kTellRounds;
  std::map<NodeId, Node> others_;
  std::vector<NodeEvent> events_;
  mutable std::optional<std::uint64_t> digest_;
};

}  // namespace drystone::cluster
