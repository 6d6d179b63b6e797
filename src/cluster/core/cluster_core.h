#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cluster/members/invitation_code.h"
#include "cluster/members/join.h"
#include "cluster/members/member_list.h"
#include "cluster/membership/membership.h"
#include "cluster/state/state_map.h"
#include "cluster/wire/crypto.h"

namespace drystone::cluster {

constexpr std::size_t kMessageBytesMax = 256 << 10;
constexpr std::size_t kInvitationsMax = 64;  // open at a time

struct Outgoing {
  NodeId to;
  std::string text;  // JSON, at most kMessageBytesMax (docs/formats/cluster.md)
};

struct ClusterEvent {
  enum class Kind {
    node_alive,  // also after suspect, dead or left
    node_suspect,
    node_dead,
    node_left,
    node_restarted,  // alive, but all that it held is gone
    member_added,
    member_removed,  // close its connections; nothing of it is listened to any more
    removed_self,    // this node was put out, or has left for good
    key_changed,     // by this node or another one
  };
  Kind kind = Kind::node_alive;
  NodeId node;      // key_changed: its writer
  std::string key;  // key_changed only
};

std::string_view to_string(ClusterEvent::Kind kind);

// One node's share of the cluster: who belongs, who is alive, and the state that all share. Events
// in, decisions out: no socket, clock, thread or file. The caller
//   - calls tick about every kTickInterval,
//   - hands in each message of a peer whose key TLS has proved,
//   - after every call that changes anything, sends take_outbox() and handles take_events(); lost,
//     doubled and reordered messages do no harm,
//   - keeps saved() on disk when take_unsaved() says so.
// Not thread-safe. `crypto` must outlive it.
class ClusterCore {
 public:
  struct Options {
    std::uint64_t start = 0;  // greater for each start of this node: wall time in ms
    std::uint64_t seed = 0;   // of choices that are no secrets
  };
  using Wall = Clock::WallTime;

  // A new cluster of this node alone. Errors: invalid_argument (name)
  static Result<std::unique_ptr<ClusterCore>> found(std::string_view name, Crypto& crypto,
                                                    const Options& options, Wall wall);
  // Of the cluster that a member has let this node into (accept_welcome has checked it).
  static std::unique_ptr<ClusterCore> joined(MemberList members, const JoinWelcome& welcome,
                                             Crypto& crypto, const Options& options, Wall wall);
  // From what saved() gave in an earlier life. Errors: corrupt, limit
  static Result<std::unique_ptr<ClusterCore>> restore(std::string_view saved, Crypto& crypto,
                                                      const Options& options, Wall wall);

  void tick(Time now, Wall wall);
  // Errors (the message changes nothing or not everything, and needs no answer): invalid_argument
  // (`from` is no member), corrupt (form, another cluster), limit
  Result<void> receive(const NodeId& from, std::string_view text, Time now);

  std::vector<Outgoing> take_outbox();
  std::vector<ClusterEvent> take_events();
  bool take_unsaved();        // whether saved() changed since the last call
  std::string saved() const;  // JSON: members and state

  const NodeId& self() const;

  // --- who is alive
  NodeState state(const NodeId& id) const;
  std::vector<NodeId> alive() const;  // with this node and suspects; sorted
  bool settled() const;               // Membership::settled: before, do not act as keeper
  const Membership& membership() const { return membership_; }
  void stop(Time now);  // tells the others that this node stops

  // --- who belongs
  const MemberList& members() const { return members_; }
  bool is_member(const PublicKey& key) const { return members_.is_member(key); }
  // Puts a node out, everywhere and for ever; voids open invitations and changes the discovery key.
  // This node itself: it leaves the cluster. Errors: not_found, limit
  Result<void> remove(const NodeId& id, Wall wall);

  // --- invitations
  // Errors: invalid_argument (uses), limit (kInvitationsMax are open)
  Result<InvitationSecret> invite(const InvitationTerms& terms, Wall wall);
  // Keys of open invitations, for the tags of discovery packets.
  std::vector<SecretKey> invitation_discovery_keys(Wall wall) const;
  // What a stranger asked over a connection of its own: the welcome's JSON, and the stranger is a
  // member; asking again with the same key is answered again and uses nothing up.
  // In a partition each side counts its own uses, so an invitation for n may let n in on each side.
  // Errors (say no more than this to the stranger): invalid_argument, limit
  Result<std::string> answer_join(std::string_view request, const JoinBinding& binding, Wall wall);

  // --- shared state
  const std::string* get(std::string_view key) const;
  std::vector<std::pair<std::string, std::string>> list(std::string_view prefix) const;
  Result<void> put(std::string_view key, std::string_view json, Wall wall);  // StateMap::put
  Result<void> erase(std::string_view key, Wall wall);
  const StateMap& state_map() const { return map_; }

  // The first is for sending; all are listened to (a node that was away knows an old one).
  std::vector<SecretKey> discovery_keys() const;

 private:
  ClusterCore(MemberList members, Crypto& crypto, const Options& options);

  Crypto& crypto_;
  MemberList members_;
  Membership membership_;
  StateMap map_;
};

}  // namespace drystone::cluster
