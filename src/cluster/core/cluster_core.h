#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cluster/core/cluster_event.h"
#include "cluster/core/message.h"
#include "cluster/members/invitation.h"
#include "cluster/members/join.h"
#include "cluster/members/member_list.h"
#include "cluster/membership/membership.h"
#include "cluster/state/state_map.h"
#include "cluster/state/state_sync.h"
#include "cluster/wire/crypto.h"

namespace drystone::cluster {

constexpr std::size_t kInvitationsMax = 64;   // open at a time
constexpr std::size_t kDiscoveryKeysMax = 4;  // this one, and those before it
constexpr std::size_t kSavedBytesMax = 96 << 20;
constexpr std::size_t kEventsMax = 1 << 20;  // that nobody took: our own mistake
constexpr Time kTidyInterval = std::chrono::seconds(10);
constexpr Time kFarewellInterval = std::chrono::seconds(5);  // to one removed node
constexpr Time kMembersExchangeInterval = std::chrono::milliseconds(300);
constexpr Time kMembersExchangeIntervalMax = std::chrono::seconds(1);

// Keys of the shared state that the core itself keeps. Others leave them alone.
constexpr std::string_view kDiscoveryKey = "cluster/discovery";
constexpr std::string_view kInvitationPrefix = "invite/";  // invite/<id>: Invitation
constexpr std::string_view kInvitedPrefix = "invited/";    // invited/<id>/<node>: it came in by it

// What others send, and how: at most kMessageBytesMax of JSON each (docs/formats/cluster.md).
struct Outgoing {
  NodeId to;
  std::string text;
};

struct OpenInvitation {
  std::string id;
  std::int64_t expires_s = 0;
  std::uint32_t uses = 0, used = 0;
};

// A value that holds nothing of the core it comes from.
struct SavedCluster {
  MemberList members;
  std::vector<MapEntry> state;
};
std::string to_text(const SavedCluster& saved);  // JSON: ClusterCore::restore reads it

// One node's share of the cluster: who belongs, who is alive, and the state that all share. Events
// in, decisions out: no socket, clock, thread or file. The caller
//   - calls tick about every kTickInterval,
//   - hands in each message of a peer whose key TLS has proved,
//   - after every call that may change something, sends take_outbox() and then handles
//     take_events(); lost, doubled and reordered messages do no harm,
//   - keeps saved() on disk when take_unsaved() says so, and the key pair of `crypto` with it.
// Not thread-safe. `crypto` must outlive it.
class ClusterCore {
 public:
  using Wall = Clock::WallTime;
  struct Options {
    std::uint64_t start = 0;  // greater for each start of this node: wall time in ms; < 2^52
    std::uint64_t seed = 0;   // of choices that are no secrets
  };

  // A new cluster of this node alone. Errors: invalid_argument (name)
  static Result<std::unique_ptr<ClusterCore>> found(std::string_view name, Crypto& crypto,
                                                    const Options& options, Wall wall);
  // The cluster that a member has let this node into: `members` is what accept_welcome gave.
  // Errors: corrupt (the welcome's discovery key)
  static Result<std::unique_ptr<ClusterCore>> joined(MemberList members, const JoinWelcome& welcome,
                                                     Crypto& crypto, const Options& options,
                                                     Wall wall);
  // From what saved() gave in an earlier life. Errors: corrupt, limit
  static Result<std::unique_ptr<ClusterCore>> restore(std::string_view saved, Crypto& crypto,
                                                      const Options& options, Wall wall);

  void tick(Time now, Wall wall);
  // A key that is not known yet may introduce itself: the member entries of its message are looked
  // at, which prove themselves, where there is none of that key by that signer yet; and the rest,
  // if `from` is a member then. Errors: invalid_argument (`from` is no member; one that was removed
  // is told so), corrupt (form, another cluster: nothing was taken), corrupt or limit (of one part:
  // the others were taken)
  Result<void> receive(const NodeId& from, std::string_view text, Time now);

  // A node was heard of in the network that has not spoken to us: one that was put out is told so.
  void heard_of(const NodeId& id, Time now);

  std::vector<Outgoing> take_outbox();
  std::vector<ClusterEvent> take_events();
  // Whether what matters of saved() changed since the last call; what nodes say of themselves is
  // saved too, but is no reason to.
  bool take_unsaved() { return std::exchange(unsaved_, false); }
  // What the next life begins with. Of the largest state (32 MiB) the copy takes some 10 ms, its
  // text 120 ms: that may be made elsewhere.
  SavedCluster snapshot() const;
  std::string saved() const { return to_text(snapshot()); }

  const NodeId& self() const { return membership_.self(); }

  // --- who is alive
  NodeState state(const NodeId& id) const { return membership_.state(id); }
  // Of its process as it is known now, this node's own too; 0: nobody has heard of it.
  std::uint64_t start_of(const NodeId& id) const { return membership_.start_of(id); }
  std::vector<NodeId> alive() const { return membership_.alive(); }  // with us and suspects; sorted
  const Membership& membership() const { return membership_; }
  // Whether the view is worth acting on: all members had time to answer since our start, and the
  // shared state was equal to that of another one, if any is alive.
  bool settled() const { return settled_; }
  void stop();  // tells the others that this node stops; then nothing but take_outbox

  // --- who belongs
  const MemberList& members() const { return members_; }
  bool is_member(const PublicKey& key) const { return members_.is_member(key); }
  // Puts a node out, everywhere and for ever; with it go open invitations and the discovery key.
  // This node itself: it leaves the cluster. Errors: not_found, invalid_argument (we are no member)
  Result<void> remove(const NodeId& id, Wall wall);

  // --- invitations
  // Errors: invalid_argument (uses, time in the past, we are no member), limit
  Result<InvitationSecret> invite(const InvitationTerms& terms, Wall wall);
  std::vector<OpenInvitation> invitations(Wall wall) const;
  // By its id or the beginning of it, 4 digits or more; gives the id. Whoever has the code is
  // refused from then on. Errors: not_found, invalid_argument (several begin so)
  Result<std::string> withdraw(std::string_view beginning, Wall wall);
  // Keys of open invitations, for the tags of discovery packets.
  std::vector<SecretKey> invitation_discovery_keys(Wall wall) const;
  // Lets a stranger in, over whose connection `request` came: gives the JSON of a JoinWelcome.
  // Asking again with the same key gets the same and uses nothing up. In a partition, and within
  // the moment that news takes, each side counts its own uses: an invitation for n may let n in on
  // each side.
  // Errors (the stranger may see the message): invalid_argument, limit
  Result<std::string> answer_join(std::string_view request, const JoinBinding& binding, Wall wall);

  // --- shared state: see StateMap
  const std::string* get(std::string_view key) const { return map_.get(key); }
  std::vector<std::pair<std::string, std::string>> list(std::string_view prefix) const {
    return map_.list(prefix);
  }
  Result<void> put(std::string_view key, std::string_view json, Wall wall);
  Result<void> erase(std::string_view key, Wall wall);
  const StateMap& state_map() const { return map_; }

  // The first is for sending; all are listened to (who was away knows an old one).
  std::vector<SecretKey> discovery_keys() const;

 private:
  struct MembersPeer {
    Time compared_at = Time::min() / 2, interval = kMembersExchangeInterval;
    std::uint64_t compared_digest = 0;
  };
  struct MembersOut {
    std::vector<MemberEntry> entries;
    std::vector<Removal> removals;
  };

  ClusterCore(MemberList members, Crypto& crypto, const Options& options, Wall wall);

  std::uint64_t members_digest() const;
  void receive_members(const NodeId& from, const Message& message, Result<void>& result);
  void bid_farewell(const NodeId& outsider);
  void compare_members(const NodeId& from, std::uint64_t theirs, Time now);
  void push_members(const std::vector<MemberEntry>& entries, const std::vector<Removal>& removals);
  void follow_members();
  void follow_map();
  void follow();  // after every change: events, and what others must hear
  void tidy();
  bool is_discovery_key_old() const;
  void change_discovery_key();
  void event(ClusterEvent::Kind kind, const NodeId& node, std::string key = {});
  std::optional<Invitation> invitation(std::string_view id) const;
  std::uint32_t used(std::string_view invitation_id) const;

  Crypto& crypto_;
  MemberList members_;
  Membership membership_;
  StateMap map_;
  StateSync sync_;
  Time now_{};
  std::int64_t wall_ms_ = 0;
  std::set<NodeId> followed_;  // members, when follow_members last looked
  Digest followed_digest_{};
  std::map<NodeId, MembersPeer> members_peers_;
  std::map<NodeId, MembersOut> members_out_;
  std::map<NodeId, Time> farewells_;  // removed nodes, and when they were told
  std::vector<ClusterEvent> events_;
  std::optional<Time> tidied_at_;
  bool unsaved_ = true, settled_ = false;
};

}  // namespace drystone::cluster
