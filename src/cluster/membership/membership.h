#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/rng.h"
#include "cluster/membership/membership_part.h"
#include "cluster/membership/node_record.h"
#include "cluster/membership/node_table.h"
#include "cluster/wire/node_id.h"

namespace drystone::cluster {

constexpr Time kTickInterval = std::chrono::milliseconds(100);  // call tick about this often
constexpr Time kProbeInterval = std::chrono::milliseconds(500);
constexpr Time kAskAfter = std::chrono::milliseconds(700);
constexpr Time kSuspectAfter = std::chrono::milliseconds(1000);
constexpr Time kDeadAfter = std::chrono::milliseconds(2500);
constexpr Time kSuspicionLasts = kDeadAfter - kSuspectAfter;
constexpr Time kDeadProbeInterval = std::chrono::milliseconds(2000);
constexpr Time kViewExchangeInterval = std::chrono::milliseconds(300);  // per pair
constexpr Time kProbeForgotten =
    std::chrono::milliseconds(5000);  // later answers count for nothing
// A pause between ticks beyond this is our own (a frozen process): it is nobody else's silence.
constexpr Time kOwnPause = std::chrono::milliseconds(600);

constexpr std::size_t kWatchedMax = 8;  // nodes that one node probes regularly
constexpr std::size_t kRelaysMax = 3;   // asked to probe one silent node, per probe interval
constexpr std::size_t kFanout = 8;      // nodes that a change is pushed to, per tick
constexpr std::size_t kProbesPerTickMax = 64;
constexpr std::size_t kDeadProbesPerTickMax = 4;
constexpr std::size_t kProbesInFlightMax = 4096;

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
// others. Rumours are pushed when they are new, and views are compared by digest with every
// message.
//
// Not thread-safe. `now` never goes back.
class Membership {
 public:
  struct Out {
    NodeId to;
    MembershipPart part;
  };

  // `start` is greater for each start of this node (wall time in ms is); `seed` for choices only.
  Membership(NodeId self, std::uint64_t start, std::uint64_t seed);

  // The nodes that exist; this one may be among them. Those who are gone are forgotten, with all
  // that was said of them.
  void set_members(const std::set<NodeId>& members, Time now);

  void tick(Time now);
  void receive(const NodeId& from, const MembershipPart& part, Time now);  // no member: ignored
  void leave();  // tells everybody that this node stops; then it does nothing any more

  std::vector<Out> take_outputs();  // at most one per node
  std::vector<NodeEvent> take_events() { return table_.take_events(); }
  // What each message carries: who speaks, and the digest of its view.
  MembershipPart header() const;

  const NodeId& self() const { return table_.self().id; }
  const NodeRecord& own_record() const { return table_.self(); }
  NodeState state(const NodeId& id) const;         // dead for one that is unknown
  std::vector<NodeId> alive() const;               // with this node and suspects; sorted
  std::uint64_t start_of(const NodeId& id) const;  // of its last known process; 0: unheard of
  const std::map<NodeId, NodeTable::Node>& others() const { return table_.others(); }
  std::optional<Time> round_trip(const NodeId& id) const;  // of the last probe that it answered
  // `count` of the others that are alive, at random.
  std::vector<NodeId> choose_alive(std::size_t count);
  // Whether each member was heard of, or had its time to be: before, an empty view means nothing.
  bool settled() const { return settled_; }

 private:
  struct Watch {
    std::optional<Time> since;  // while we probe it regularly
    Time probed_at = Time::min() / 2, asked_at = Time::min() / 2, exchanged_at = Time::min() / 2;
    std::size_t exchanged = 0;  // where the next exchange of views goes on
    bool correct = false;       // it holds a record of itself that is not the last one
    std::optional<Time> round_trip;
    NodeId relay;  // that vouched for it last
  };
  struct Probe {  // a ping that was sent
    NodeId target;
    Time sent_at{};
    NodeId asker;  // for whom; empty: for ourselves
    std::uint64_t asked_number = 0;
  };

  MembershipPart& part_to(const NodeId& id) { return outputs_[id]; }
  void send_ping(const NodeId& target, Time now, const NodeId& asker = {},
                 std::uint64_t asked_number = 0);
  void choose_watched(Time now);
  void probe_alive(Time now);
  void probe_dead(Time now);
  void ask_others(const NodeId& target, Time now);
  void judge(Time now);
  void push_rumours();
  void exchange_views(const NodeId& with, Time now);
  void receive_answers(const NodeId& from, const MembershipPart& part, Time now);

  NodeTable table_;
  Rng rng_;
  std::map<NodeId, Watch> watches_;        // one per other node
  std::map<std::uint64_t, Probe> probes_;  // by number: oldest first
  std::map<std::uint64_t, Probe> asks_;    // by number: who was asked for whom; oldest first
  std::uint64_t next_number_ = 1;
  std::map<NodeId, MembershipPart> outputs_;
  std::optional<Time> ticked_at_;
  Time random_probe_at_ = Time::min() / 2;
  std::size_t probes_left_ = 0;  // in this tick
  bool settled_ = false;
};

}  // namespace drystone::cluster
