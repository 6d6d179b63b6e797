#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cluster/members/member_entry.h"
#include "cluster/wire/crypto.h"
#include "cluster/wire/node_id.h"

namespace drystone::cluster {

constexpr std::size_t kMemberEntriesMax = 1024;  // with those of removed members
constexpr std::size_t kRemovalsMax = 1024;

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
// Every member may remove every other: a signature is taken when its signer's chain of entries
// leads to genesis, removed or not (a removed node reaches nobody who knows of its removal).
//
// A value. Not thread-safe. Merging is independent of order while the limits are not reached.
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
  bool is_removed(const PublicKey& key) const { return removals_of(key) > 0; }
  const Member* find(const NodeId& id) const;  // valid until the next change; null: no member
  const std::map<NodeId, Member>& members() const { return members_; }

  // Signs a new entry with this node's key and adds it.
  // Errors: invalid_argument (name; this node is no member; `key` was removed or is a member), limit
  Result<MemberEntry> admit(const PublicKey& key, std::string_view name, const Crypto& crypto);
  // Signs a removal with this node's key and adds it. The key of this node itself: it leaves.
  // Errors: invalid_argument (this node is no member), not_found (`key` is no member), limit
  Result<Removal> remove(const PublicKey& key, const Crypto& crypto);

  // True: something new. Errors leave the list as it was, and name entry and reason: corrupt (bad
  // signature or form), not_found (its signer is unknown here: merge the signer's entry first), limit
  Result<bool> merge(const MemberEntry& entry, const Crypto& crypto);
  Result<bool> merge(const Removal& removal, const Crypto& crypto);

  // All that there is, signers before those they signed: merged in this order nothing is missing.
  std::vector<MemberEntry> entries() const;
  std::vector<Removal> removals() const;

  // Equal exactly for equal lists.
  Digest digest(const Crypto& crypto) const;
  // Of the set of removed keys alone: invitations made before another removal are void.
  Digest removed_digest(const Crypto& crypto) const;

 private:
  using EntryKey = std::pair<PublicKey, PublicKey>;  // key, added by
  std::size_t removals_of(const PublicKey& key) const;
  bool is_rooted(const PublicKey& key) const;  // its chain of entries leads to genesis
  bool counts(const MemberEntry& entry) const;
  void refresh(const Crypto& crypto);

  ClusterId cluster_;
  PublicKey founder_;
  std::map<EntryKey, MemberEntry> entries_;  // every one of them rooted
  std::map<EntryKey, Removal> removals_;     // key, removed by
  // Made anew on each change.
  std::map<NodeId, Member> members_;
};

}  // namespace drystone::cluster
