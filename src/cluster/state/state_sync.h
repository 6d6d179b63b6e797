#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "cluster/state/state_map.h"
#include "cluster/state/state_part.h"
#include "cluster/wire/node_id.h"

namespace drystone::cluster {

constexpr std::chrono::nanoseconds kStateExchangeInterval = std::chrono::milliseconds(300);
constexpr std::chrono::nanoseconds kStateExchangeIntervalMax = std::chrono::seconds(1);
constexpr std::size_t kGivenBytesMax = 1 << 20;  // of entries to one node, between two calls

// Keeps this node's map equal to those of others: pushes news, and compares and repairs when
// digests differ. Not thread-safe. `map` must outlive it.
class StateSync {
 public:
  using Time = std::chrono::nanoseconds;
  struct Out {
    NodeId to;
    StatePart part;  // without digest
  };

  explicit StateSync(StateMap& map) : map_(map) {}

  void push(std::span<const NodeId> to, const std::string& key);
  // Entries of owners that `is_member` refuses are left out, silently: the two sides do not know
  // the same members yet. Returns the first error of an entry; the others were taken.
  template <typename IsMember>
  Result<void> receive(const NodeId& from, const StatePart& part, const IsMember& is_member,
                       Time now, std::int64_t wall_ms) {
    Result<void> result;
    for (const MapEntry& entry : part.entries) {
      if (const auto owner = owner_of(entry.key); !owner.empty() && !is_member(NodeId(owner)))
        continue;
      if (auto merged = map_.merge(entry, wall_ms); !merged && result)
        result = std::move(merged).error();
    }
    answer(from, part, now);
    return result;
  }
  void forget(const NodeId& node);
  // Whether the maps of this node and the other were equal when it last spoke.
  bool in_step(const NodeId& node) const;

  std::vector<Out> take_outputs();  // at most one per node

 private:
  struct Peer {
    Time compared_at = Time::min() / 2, interval = kStateExchangeInterval;
    std::uint64_t compared_digest = 0;  // ours, when we last compared
    bool in_step = false, send_buckets = false;
    std::string listed_until;  // where the next listing goes on
    std::optional<StatePart::Listing> listing;
    std::set<std::string> given, wanted;  // keys
  };
  void answer(const NodeId& from, const StatePart& part, Time now);
  void list(Peer& peer, const StateMap::Buckets& theirs);
  void compare(Peer& peer, const StatePart::Listing& listing);

  StateMap& map_;
  std::map<NodeId, Peer> peers_;
};

}  // namespace drystone::cluster
