#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/rng.h"
#include "cluster/membership/node_record.h"
#include "cluster/wire/node_id.h"

namespace drystone::cluster {

using Time = std::chrono::nanoseconds;  // Clock::monotonic

constexpr Time kTickInterval = std::chrono::milliseconds(100);  // call tick about this often
constexpr Time kProbeInterval = std::chrono::milliseconds(500);
constexpr Time kAskAfter = std::chrono::milliseconds(700);  // silence until others are asked to probe
constexpr Time kSuspectAfter = std::chrono::milliseconds(1000);
constexpr Time kDeadAfter = std::chrono::milliseconds(2500);
constexpr Time kSuspicionLasts = kDeadAfter - kSuspectAfter;
constexpr Time kDeadProbeInterval = std::chrono::milliseconds(2000);
// A pause between ticks beyond this is our own (a frozen process): it is nobody else's silence.
constexpr Time kOwnPause = std::chrono::milliseconds(600);

constexpr std::size_t kWatchedMax = 8;        // nodes that one node probes regularly
constexpr std::size_t kRelaysMax = 3;         // nodes asked to probe one silent node, per interval
constexpr std::size_t kFanout = 8;            // nodes that a change is pushed to, per tick
constexpr std::size_t kProbesPerTickMax = 64;
constexpr std::size_t kRumoursPerMessageMax = 256;
constexpr std::size_t kPendingRelaysMax = 256;

// The part of a message that membership speaks. `pings` are answered by `acks` with equal numbers.
struct MembershipPart {
  struct Ask {  // please probe `target` and vouch for it
    NodeId target;
    std::uint64_t number = 0;
  };
  std::uint64_t start = 0, incarnation = 0;  // of the sender
  bool leaving = false;
  std::uint64_t view = 0;  // digest of what the sender believes
  std::vector<std::uint64_t> pings, acks;
  std::vector<Ask> asks, vouches;
  std::vector<NodeRecord> rumours;
};

struct NodeEvent {
  enum class Kind { alive, suspect, dead, left, restarted };
  Kind kind = Kind::alive;
  NodeId node;
};

// Who is alive, as one node sees it: SWIM without I/O. Each node probes its kWatchedMax next ones
// on the ring of ids (all, in a small cluster) and one at random, so each is probed by several
// about every half second at a cost that does not grow with the cluster.
//
//  silent for 0.7 s   others are asked to probe it as well; an answer through them counts
//  silent for 1 s     suspect: everybody is told, everybody probes it, it may contradict
//  silent for 2.5 s   dead, on every node that did not hear from it since; probed on, more rarely
//
// So a node is dead only when nobody who was asked reaches it, a slow one stays, and the sides of a
// partition find each other again. Time in which we did not run ourselves is not held against
// others. Rumours are pushed when they are new and compared by digest with every message.
//
// Not thread-safe. `now` never goes back.
class Membership {
 public:
  struct Out {
    NodeId to;
    MembershipPart part;
  };
  struct View {
    NodeRecord record;
    bool heard = false;           // of it or about it, since our start
    std::optional<Time> heard_at; // its last message to us, or the last voucher
    std::optional<Time> rtt;      // of the last probe that it answered
  };

  // `start` is greater for each start of this node (wall time in ms is); `seed` for choices only.
  Membership(NodeId self, std::uint64_t start, std::uint64_t seed);

  // The other nodes that exist. Those who are gone are forgotten, with all that was said of them.
  void set_members(const std::set<NodeId>& members, Time now);

  void tick(Time now);
  void receive(const NodeId& from, const MembershipPart& part, Time now);  // `from` is a member
  void leave(Time now);  // says to everybody that this node stops; nothing is sent afterwards

  std::vector<Out> take_outputs();       // at most one per node
  std::vector<NodeEvent> take_events();  // in order

  const NodeId& self() const { return self_.id; }
  const NodeRecord& own_record() const { return self_; }
  NodeState state(const NodeId& id) const;       // dead for one that is unknown
  const std::map<NodeId, View>& others() const;  // by id
  std::vector<NodeId> alive() const;             // with this node and suspects; sorted
  // Whether each member was heard of, or had its time to be: before, an empty view means nothing.
  bool settled() const;
};

}  // namespace drystone::cluster
