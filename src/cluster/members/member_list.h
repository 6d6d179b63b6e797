#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cluster/members/member_entry.h"
#include "cluster/wire/crypto.h"
#include "cluster/wire/node_id.h"

namespace drystone::cluster {

constexpr std::size_t kMemberEntriesMax = 1024;  // that last, those of removed members among them
constexpr std::size_t kRemovalsOfKeyMax = 8;     // of one key, which keep different ones
// A removed key has an entry, and so has each kept one, by the removed: there are never more
// removals than this, nor more kept keys in all of them together.
constexpr std::size_t kRemovalsMax = kMemberEntriesMax * kRemovalsOfKeyMax;

// Who belongs: a set of signed entries and removals that only grows. Two lists merge to the same
// one in whatever order their parts come, so members need no agreement to admit or remove.
//
// A key is a member when it has an entry that counts and no removal. An entry counts when the one
// who signed it was let in by an entry that counts (genesis does) and is not removed, or is removed
// and every removal of it keeps the key. So:
//  - those whom a removed node had let in stay, as far as the remover knew them;
//  - a removed key is out for ever, and nothing it signs afterwards lets anybody in, whatever
//    counter it writes; another member may let those keys in again;
//  - a machine that was removed or has left comes back with a new key only.
// What lasts is passed on and kept: entries that count, those by which it is known who stands in
// the removals, and those of kept keys. Others (anybody whose key was removed can sign any number
// of them) are remembered, since they may count when their signer is let in again, until their room
// is needed.
//
// Every member may remove every other: a signature is taken when its signer's chain of entries
// leads to genesis, removed or not (a removed node reaches nobody who knows of its removal). A
// removal keeps only keys that the removed one is known to have let in. So invented ones fill no
// room, and the first removal of a key is always taken where these are known. Of removals of one
// key that keep the same, one is held; of others the 8 that keep the fewest, and where there are 8,
// none keeps anybody.
//
// A value. Not thread-safe. Merging is independent of order while there is room for the entries.
class MemberList {
 public:
  struct Member {
    NodeId id;
    PublicKey key{};
    std::string name;
    std::uint64_t added_at = 0;
    NodeId added_by;
  };

  // A new cluster, of this node alone. Errors: invalid_argument (name).
  static Result<MemberList> found(const ClusterId& cluster, std::string_view name,
                                  const Crypto& crypto);
  // An empty list that takes the genesis of `founder` and what follows from it.
  MemberList(const ClusterId& cluster, const PublicKey& founder);

  const ClusterId& cluster() const { return cluster_; }
  const PublicKey& founder() const { return founder_; }

  bool is_member(const PublicKey& key) const;
  bool is_member(const NodeId& id) const { return members_.contains(id); }
  bool is_removed(const PublicKey& key) const;
  const Member* find(const NodeId& id) const;  // valid until the next change; null: no member
  const std::map<NodeId, Member>& members() const { return members_; }
  // Who was a member once and was removed, or has left.
  struct Former {
    NodeId id;
    std::string name;
    bool left = false;
  };
  std::vector<Former> former() const;

  // Signs a new entry with this node's key and adds it.
  // Errors: invalid_argument (name; this node is no member; `key` was removed or is a member),
  // limit
  Result<MemberEntry> admit(const PublicKey& key, std::string_view name, const Crypto& crypto);
  // Signs a removal with this node's key and adds it. The key of this node itself: it leaves.
  // Errors: invalid_argument (this node is no member), not_found (`key` is no member)
  Result<Removal> remove(const PublicKey& key, const Crypto& crypto);

  // Takes from another list what is new and valid, entries first, in the order given. What is
  // refused is named with its place and the reason: corrupt (bad signature or form), not_found
  // (entries of its signer or of those whom it names are unknown here: give those first), limit (of
  // entries).
  struct Merged {
    std::vector<MemberEntry> entries;  // those that were new and last
    std::vector<Removal> removals;
    std::vector<Error> refused;

    bool changed() const { return !entries.empty() || !removals.empty(); }
  };
  Merged merge(std::span<const MemberEntry> entries, std::span<const Removal> removals,
               const Crypto& crypto);

  // The one by which `signer` let `key` in, whether it counts or not; null: none is known. Valid
  // until the next change.
  const MemberEntry* find_entry(const PublicKey& key, const PublicKey& signer) const;

  // All that lasts, signers before those they signed: merged in this order nothing is missing.
  std::vector<MemberEntry> entries() const;
  std::vector<Removal> removals() const;
  // The entries by which a key is a member, or was one, genesis first: who has them needs nothing
  // else to take what it signed. Empty: never heard of.
  std::vector<MemberEntry> chain(const PublicKey& key) const;
  // The entries by which another list takes removals of this one, genesis first: the chains of the
  // removed and of the signers, and those of kept keys.
  std::vector<MemberEntry> proof(std::span<const Removal> removals) const;
  // Of one that has an entry, a member or not; null: not known. Valid until the next change.
  const PublicKey* key_of(const NodeId& id) const;

  // Equal exactly for lists of a cluster with the same removals and entries that count; zeros for
  // an empty one.
  const Digest& digest() const { return digest_; }
  // Of the set of removed keys alone: invitations made before another removal are void.
  const Digest& removed_digest() const { return removed_digest_; }

 private:
  using KeyPair = std::pair<PublicKey, PublicKey>;  // whose, signed by whom

  Result<void> check_self(const Crypto& crypto) const;
  bool is_rooted(const PublicKey& key) const;  // its chain of entries leads to genesis
  bool is_kept(const PublicKey& removed, const PublicKey& key) const;  // by every removal
  Result<bool> take(const MemberEntry& entry, const Crypto& crypto);
  Result<bool> take(const Removal& removal, const Crypto& crypto);
  // Signers before those they signed; with `counting`, only entries that count.
  std::vector<const MemberEntry*> walk(bool counting) const;
  static std::set<const MemberEntry*> leading_to(const std::set<PublicKey>& keys,
                                                 const std::set<PublicKey>& known,
                                                 const std::vector<const MemberEntry*>& all);
  std::vector<const MemberEntry*> lasting() const;  // in the order of walk()
  void make_room();                                 // forgets what does not last
  void refresh(const Crypto& crypto);

  ClusterId cluster_;
  PublicKey founder_;
  std::map<KeyPair, MemberEntry> entries_;  // every one of them rooted
  // By the removed key, in the order in which they hold, no two of a key keeping the same.
  std::map<PublicKey, std::vector<Removal>> removals_;
  // Made anew on each change.
  std::map<PublicKey, NodeId> ids_;
  std::map<NodeId, Member> members_;
  Digest digest_{}, removed_digest_{};
};

}  // namespace drystone::cluster
