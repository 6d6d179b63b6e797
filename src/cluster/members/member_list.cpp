#include "cluster/members/member_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <tuple>

#include "cluster/wire/json_fields.h"

namespace drystone::cluster {
namespace {

constexpr PublicKey kLowestKey{};  // the first of all pairs of a key begins with it

// Of two entries of one key by one signer, all members keep the same.
bool holds_against(const MemberEntry& a, const MemberEntry& b) {
  return std::tie(a.added_at, a.name, a.signature) < std::tie(b.added_at, b.name, b.signature);
}

// The order in which removals of one key hold. Fewer keys let fewer in; of removals that keep the
// same, the one by the node itself says that it has left.
bool keeps_less(const Removal& a, const Removal& b) {
  const auto size_a = a.kept.size(), size_b = b.kept.size();
  const bool by_other_a = a.removed_by != a.key, by_other_b = b.removed_by != b.key;
  return std::tie(size_a, a.kept, by_other_a, a.removed_by, a.signature) <
         std::tie(size_b, b.kept, by_other_b, b.removed_by, b.signature);
}

// Whether `held`, the removals of a key, change by another one. What they come to depends on the
// set of those that were given alone: each that is not held stands behind 8 others, or behind one
// that keeps the same, whatever comes.
bool is_news(const std::vector<Removal>& held, const Removal& removal) {
  const auto same = std::ranges::find(held, removal.kept, &Removal::kept);
  if (same != held.end()) return keeps_less(removal, *same);
  return held.size() < kRemovalsOfKeyMax || keeps_less(removal, held.back());
}

}  // namespace

MemberList::MemberList(const ClusterId& cluster, const PublicKey& founder)
    : cluster_(cluster), founder_(founder) {}

Result<MemberList> MemberList::found(const ClusterId& cluster, std::string_view name,
                                     const Crypto& crypto) {
  TRY(check_name(name));
  const PublicKey self = crypto.public_key();
  MemberList list(cluster, self);
  MemberEntry genesis{.key = self, .name = std::string(name), .added_at = 0, .added_by = self};
  genesis.signature = crypto.sign(signed_bytes(cluster, genesis));
  list.entries_.emplace(KeyPair(self, self), std::move(genesis));
  list.refresh(crypto);
  return list;
}

bool MemberList::is_removed(const PublicKey& key) const { return removals_.contains(key); }

bool MemberList::is_rooted(const PublicKey& key) const {
  const auto found = entries_.lower_bound({key, kLowestKey});
  return found != entries_.end() && found->first.first == key;
}

bool MemberList::is_kept(const PublicKey& removed, const PublicKey& key) const {
  const auto found = removals_.find(removed);
  if (found == removals_.end()) return true;
  if (found->second.size() == kRemovalsOfKeyMax) return false;  // there may have been more
  return std::ranges::all_of(found->second, [&](const Removal& removal) {
    return std::ranges::binary_search(removal.kept, key);
  });
}

const MemberEntry* MemberList::find_entry(const PublicKey& key, const PublicKey& signer) const {
  const auto found = entries_.find({key, signer});
  return found == entries_.end() ? nullptr : &found->second;
}

bool MemberList::is_member(const PublicKey& key) const {
  const auto found = ids_.find(key);
  return found != ids_.end() && members_.contains(found->second);
}

const MemberList::Member* MemberList::find(const NodeId& id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

Result<void> MemberList::check_self(const Crypto& crypto) const {
  if (is_member(crypto.public_key())) return {};
  return Error(Errc::invalid_argument, "this node is no member of the cluster");
}

Result<MemberEntry> MemberList::admit(const PublicKey& key, std::string_view name,
                                      const Crypto& crypto) {
  TRY(check_name(name));
  TRY(check_self(crypto));
  if (is_removed(key))
    return Error(Errc::invalid_argument,
                 "this key was removed from the cluster, for ever: make a new one and join again");
  if (is_member(key)) return Error(Errc::invalid_argument, "this key is a member already");
  MemberEntry entry{.key = key, .name = std::string(name), .added_by = crypto.public_key()};
  for (const MemberEntry* other : walk(/*counting=*/true))
    entry.added_at = std::max(entry.added_at, other->added_at);
  entry.added_at = std::min(entry.added_at + 1, kJsonNumberMax);
  entry.signature = crypto.sign(signed_bytes(cluster_, entry));
  TRY(take(entry, crypto));
  refresh(crypto);
  return entry;
}

Result<Removal> MemberList::remove(const PublicKey& key, const Crypto& crypto) {
  TRY(check_self(crypto));
  if (!is_member(key)) return Error(Errc::not_found, "this key is no member of the cluster");
  Removal removal{.key = key, .removed_by = crypto.public_key()};
  for (const auto& [pair, entry] : entries_)  // sorted by key
    if (entry.added_by == key && entry.key != key) removal.kept.push_back(entry.key);
  removal.signature = crypto.sign(signed_bytes(cluster_, removal));
  TRY(take(removal, crypto));
  refresh(crypto);
  return removal;
}

Result<bool> MemberList::take(const MemberEntry& entry, const Crypto& crypto) {
  const KeyPair pair(entry.key, entry.added_by);
  const auto present = entries_.find(pair);
  if (present != entries_.end() && !holds_against(entry, present->second)) return false;
  if (present == entries_.end() && entries_.size() >= kMemberEntriesMax) make_room();
  if (auto name = check_name(entry.name); !name)
    return Error(Errc::corrupt, name.error().message());
  const bool genesis = entry.key == entry.added_by;
  if (genesis && entry.key != founder_)
    return Error(Errc::corrupt, "it is signed by the very key it adds, which is not the founder's");
  if (genesis != (entry.added_at == 0) || entry.added_at > kJsonNumberMax)
    return Error(Errc::corrupt, fmt::format("its counter is {}", entry.added_at));
  if (!genesis && !is_rooted(entry.added_by))
    return Error(Errc::not_found, "the one who signed it is not known");
  if (!crypto.verify(entry.added_by, signed_bytes(cluster_, entry), entry.signature))
    return Error(Errc::corrupt, "its signature is wrong");
  if (present == entries_.end() && entries_.size() >= kMemberEntriesMax)
    return Error(Errc::limit, fmt::format("a cluster has at most {} entries", kMemberEntriesMax));
  entries_[pair] = entry;
  return true;
}

Result<bool> MemberList::take(const Removal& removal, const Crypto& crypto) {
  const auto known = removals_.find(removal.key);
  if (known != removals_.end() && !is_news(known->second, removal)) return false;
  if (removal.kept.size() > kKeptMax ||
      std::ranges::adjacent_find(removal.kept, std::greater_equal{}) != removal.kept.end())
    return Error(Errc::corrupt, "its list of kept keys is not sorted or too long");
  if (!is_rooted(removal.key)) return Error(Errc::not_found, "the key it removes is not known");
  if (!is_rooted(removal.removed_by))
    return Error(Errc::not_found, "the one who signed it is not known");
  for (const PublicKey& key : removal.kept)
    if (!find_entry(key, removal.key))
      return Error(Errc::not_found, "it keeps a key that the removed one has not let in");
  if (!crypto.verify(removal.removed_by, signed_bytes(cluster_, removal), removal.signature))
    return Error(Errc::corrupt, "its signature is wrong");
  std::vector<Removal>& held = removals_[removal.key];
  std::erase_if(held, [&](const Removal& other) { return other.kept == removal.kept; });
  held.insert(std::ranges::lower_bound(held, removal, keeps_less), removal);
  if (held.size() > kRemovalsOfKeyMax) held.pop_back();
  return true;
}

MemberList::Merged MemberList::merge(std::span<const MemberEntry> entries,
                                     std::span<const Removal> removals, const Crypto& crypto) {
  Merged merged;
  const auto note = [&](Result<bool> taken, const auto& part, auto& into, std::string_view place) {
    if (!taken) {
      merged.refused.push_back(std::move(taken).error().with(place));
    } else if (*taken) {
      into.push_back(part);
    }
  };
  for (std::size_t i = 0; i < entries.size(); ++i)
    note(take(entries[i], crypto), entries[i], merged.entries,
         fmt::format("entries[{}] ({})", i, entries[i].name));
  for (std::size_t i = 0; i < removals.size(); ++i)
    note(take(removals[i], crypto), removals[i], merged.removals, fmt::format("removals[{}]", i));
  if (!merged.changed()) return merged;
  refresh(crypto);
  std::set<KeyPair> last;
  for (const MemberEntry* entry : lasting()) last.emplace(entry->key, entry->added_by);
  std::erase_if(merged.entries, [&](const MemberEntry& entry) {
    return !last.contains({entry.key, entry.added_by});
  });
  return merged;
}

std::vector<const MemberEntry*> MemberList::walk(bool counting) const {
  std::map<PublicKey, std::vector<const MemberEntry*>> by_signer;
  for (const auto& [pair, entry] : entries_)
    if (entry.key != entry.added_by) by_signer[entry.added_by].push_back(&entry);
  std::vector<const MemberEntry*> found;
  std::set<PublicKey> reached;
  const auto genesis = entries_.find({founder_, founder_});
  if (genesis == entries_.end()) return found;
  found.push_back(&genesis->second);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const PublicKey& signer = found[i]->key;
    if (!reached.insert(signer).second) continue;
    for (const MemberEntry* entry : by_signer[signer])
      if (!counting || is_kept(signer, entry->key)) found.push_back(entry);
  }
  return found;
}

// Of each of `keys` the chain nearest to genesis, up to a key that is `known`. In `all`, what
// walk() found, signers come before those they signed.
std::set<const MemberEntry*> MemberList::leading_to(const std::set<PublicKey>& keys,
                                                    const std::set<PublicKey>& known,
                                                    const std::vector<const MemberEntry*>& all) {
  std::map<PublicKey, const MemberEntry*> first;
  for (const MemberEntry* entry : all) first.try_emplace(entry->key, entry);
  std::set<const MemberEntry*> found;
  for (const PublicKey& key : keys)
    for (PublicKey next = key; !known.contains(next); next = first.at(next)->added_by)
      if (!found.insert(first.at(next)).second) break;
  return found;
}

// A removal is believed where the one it removes, the one who signed it and those whom it keeps are
// known. The entries of each that does not count any more lead to genesis, and last with the
// removal.
std::vector<const MemberEntry*> MemberList::lasting() const {
  std::vector<const MemberEntry*> found = walk(/*counting=*/true);
  const std::set<const MemberEntry*> counting(found.begin(), found.end());
  std::set<PublicKey> known, wanted;
  for (const MemberEntry* entry : found) known.insert(entry->key);
  std::set<const MemberEntry*> kept;
  for (const auto& [removed, held] : removals_) {
    wanted.insert(removed);
    for (const Removal& removal : held) {
      wanted.insert(removal.removed_by);
      for (const PublicKey& key : removal.kept) kept.insert(find_entry(key, removed));
    }
  }
  if (wanted.empty()) return found;
  const std::vector<const MemberEntry*> all = walk(/*counting=*/false);
  std::set<const MemberEntry*> needed = leading_to(wanted, known, all);
  needed.merge(kept);
  for (const MemberEntry* entry : all)
    if (needed.contains(entry) && !counting.contains(entry)) found.push_back(entry);
  return found;
}

void MemberList::make_room() {
  std::map<KeyPair, MemberEntry> kept;
  std::map<PublicKey, NodeId> ids;
  for (const MemberEntry* entry : lasting()) {
    kept.emplace(KeyPair(entry->key, entry->added_by), *entry);
    if (const auto id = ids_.find(entry->key); id != ids_.end()) ids.insert(*id);
  }
  entries_ = std::move(kept);
  ids_ = std::move(ids);
}

std::vector<MemberEntry> MemberList::entries() const {
  std::vector<MemberEntry> all;
  for (const MemberEntry* entry : lasting()) all.push_back(*entry);
  return all;
}

std::vector<Removal> MemberList::removals() const {
  std::vector<Removal> all;
  for (const auto& [key, held] : removals_) all.insert(all.end(), held.begin(), held.end());
  return all;
}

std::vector<MemberEntry> MemberList::chain(const PublicKey& key) const {
  std::vector<MemberEntry> chain;
  if (!is_rooted(key)) return chain;
  const std::vector<const MemberEntry*> all = walk(/*counting=*/is_member(key));
  for (PublicKey next = key;;) {
    // The first entry of a key is the nearest to genesis, so this ends.
    const auto found = std::ranges::find(all, next, [](const MemberEntry* e) { return e->key; });
    chain.push_back(**found);
    if (chain.back().key == chain.back().added_by) break;
    next = chain.back().added_by;
  }
  std::ranges::reverse(chain);
  return chain;
}

std::vector<MemberEntry> MemberList::proof(std::span<const Removal> removals) const {
  std::set<PublicKey> wanted;
  std::set<const MemberEntry*> kept;
  for (const Removal& removal : removals) {
    wanted.insert({removal.key, removal.removed_by});
    for (const PublicKey& key : removal.kept) kept.insert(find_entry(key, removal.key));
  }
  const std::vector<const MemberEntry*> all = walk(/*counting=*/false);
  std::set<const MemberEntry*> needed = leading_to(wanted, /*known=*/{}, all);
  needed.merge(kept);
  std::vector<MemberEntry> proof;
  for (const MemberEntry* entry : all)
    if (needed.contains(entry)) proof.push_back(*entry);
  return proof;
}

std::vector<MemberList::Former> MemberList::former() const {
  std::map<PublicKey, Former> all;
  for (const MemberEntry* entry : lasting()) {
    const auto removed = removals_.find(entry->key);
    if (removed == removals_.end()) continue;
    const bool left = std::ranges::any_of(
        removed->second, [&](const Removal& one) { return one.removed_by == one.key; });
    all.try_emplace(entry->key,
                    Former{.id = ids_.at(entry->key), .name = entry->name, .left = left});
  }
  std::vector<Former> former;
  for (auto& [key, one] : all) former.push_back(std::move(one));
  return former;
}

const PublicKey* MemberList::key_of(const NodeId& id) const {
  const auto found = std::ranges::find(ids_, id, [](const auto& entry) { return entry.second; });
  return found == ids_.end() ? nullptr : &found->first;
}

void MemberList::refresh(const Crypto& crypto) {
  for (const auto& [pair, entry] : entries_)
    if (!ids_.contains(entry.key)) ids_.emplace(entry.key, node_id(entry.key, crypto));

  members_.clear();
  for (const MemberEntry* entry : walk(/*counting=*/true)) {
    if (is_removed(entry->key)) continue;
    const NodeId& id = ids_.at(entry->key);
    const NodeId& added_by = ids_.at(entry->added_by);
    const auto [at, is_new] = members_.try_emplace(id);
    Member& member = at->second;
    if (!is_new &&
        std::tie(member.added_at, member.added_by) <= std::tie(entry->added_at, added_by))
      continue;
    member = {.id = id,
              .key = entry->key,
              .name = entry->name,
              .added_at = entry->added_at,
              .added_by = added_by};
  }

  std::string all, removed;
  std::map<KeyPair, const MemberEntry*> counting;
  for (const MemberEntry* entry : walk(/*counting=*/true))
    counting.emplace(KeyPair(entry->key, entry->added_by), entry);
  for (const auto& [pair, entry] : counting)
    all.append(signed_bytes(cluster_, *entry)).append(bytes_of(entry->signature));
  for (const auto& [key, held] : removals_) {
    removed += bytes_of(key);
    for (const Removal& removal : held)
      all.append(signed_bytes(cluster_, removal)).append(bytes_of(removal.signature));
  }
  digest_ = crypto.sha256(all);
  removed_digest_ = crypto.sha256(removed);
}

}  // namespace drystone::cluster
