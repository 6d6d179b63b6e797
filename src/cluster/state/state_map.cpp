#include "cluster/state/state_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "cluster/wire/hash64.h"

namespace drystone::cluster {
namespace {

std::size_t bytes_of(const MapEntry& entry) {
  return entry.key.size() + (entry.value ? entry.value->size() : 0);
}

std::uint64_t counter_of(std::int64_t wall_ms) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(wall_ms, 0));
}

}  // namespace

const MapEntry* StateMap::entry(std::string_view key) const {
  const auto found = slots_.find(key);
  return found == slots_.end() ? nullptr : &found->second.entry;
}

const std::string* StateMap::get(std::string_view key) const {
  const MapEntry* found = entry(key);
  return found && found->value ? &*found->value : nullptr;
}

std::vector<std::pair<std::string, std::string>> StateMap::list(std::string_view prefix) const {
  std::vector<std::pair<std::string, std::string>> found;
  for (auto it = slots_.lower_bound(prefix); it != slots_.end() && it->first.starts_with(prefix);
       ++it)
    if (it->second.entry.value) found.emplace_back(it->first, *it->second.entry.value);
  return found;
}

std::vector<const MapEntry*> StateMap::entries() const {
  std::vector<const MapEntry*> all;
  for (const auto& [key, slot] : slots_) all.push_back(&slot.entry);
  return all;
}

Result<Version> StateMap::next_version(std::int64_t wall_ms) const {
  const std::uint64_t counter = std::max(counter_ + 1, counter_of(wall_ms));
  if (counter > kCounterMax)
    return Error(Errc::limit, "the counter of the shared state is used up");
  return Version{counter, self_};
}

Result<void> StateMap::check_room(const MapEntry& entry) const {
  const MapEntry* present = this->entry(entry.key);
  if (!present && slots_.size() >= kMapEntriesMax)
    return Error(Errc::limit, fmt::format("the shared state has {} keys already", kMapEntriesMax));
  if (bytes_ - (present ? bytes_of(*present) : 0) + bytes_of(entry) > kMapBytesMax)
    return Error(Errc::limit, fmt::format("the shared state has {} bytes already", bytes_));
  return {};
}

Result<void> StateMap::put(std::string_view key, std::string_view value, std::int64_t wall_ms) {
  MapEntry entry{
      .key = std::string(key), .value = std::string(value), .version = TRY(next_version(wall_ms))};
  TRY(check_entry(entry));
  if (const auto found = slots_.find(key);
      found != slots_.end() && found->second.entry.value == entry.value) {
    found->second.of_this_life = true;
    return {};
  }
  TRY(check_room(entry));
  store(std::move(entry), /*local=*/true);
  return {};
}

Result<void> StateMap::erase(std::string_view key, std::int64_t wall_ms) {
  if (!get(key)) return {};
  MapEntry entry{.key = std::string(key), .version = TRY(next_version(wall_ms))};
  TRY(check_entry(entry));
  store(std::move(entry), /*local=*/true);
  return {};
}

bool StateMap::is_ahead(const MapEntry& entry, std::int64_t wall_ms) {
  return entry.version.counter > counter_of(wall_ms) + kCounterAheadMs;
}

Result<bool> StateMap::merge(MapEntry entry, std::int64_t wall_ms) {
  TRY(check_entry(entry));
  if (is_ahead(entry, wall_ms))
    return Error(Errc::limit,
                 fmt::format("the counter of {} is {}, more than a thousand years ahead of the "
                             "clock of this node",
                             entry.key, entry.version.counter));
  const auto present = slots_.find(entry.key);
  if (present != slots_.end() && !supersedes(entry, present->second.entry)) return false;
  if (present == slots_.end() && is_forgotten(entry, wall_ms)) return false;
  if (owner_of(entry.key) == self_) return reclaim(entry, wall_ms);
  TRY(check_room(entry));
  store(std::move(entry), /*local=*/false);
  return true;
}

// An own key comes back with a later write than ours: an earlier life wrote it.
Result<bool> StateMap::reclaim(const MapEntry& returned, std::int64_t wall_ms) {
  counter_ = std::max(counter_, returned.version.counter);
  const auto present = slots_.find(returned.key);
  MapEntry ours{.key = returned.key};
  if (present != slots_.end() && present->second.of_this_life) {
    ours = present->second.entry;
  } else if (!returned.value) {
    TRY(check_room(returned));
    store(returned, /*local=*/false);
    return true;
  }
  ours.version = TRY(next_version(wall_ms));
  TRY(check_room(ours));
  store(std::move(ours), /*local=*/true);
  return true;
}

void StateMap::store(MapEntry entry, bool local) {
  counter_ = std::max(counter_, entry.version.counter);
  drop(entry.key);
  buckets_[bucket_of(entry.key)] ^= hash_of(entry);
  tombstones_ += entry.value ? 0 : 1;
  bytes_ += bytes_of(entry);
  changes_[entry.key] |= local;
  const std::string key = entry.key;
  slots_[key] = {.entry = std::move(entry), .of_this_life = local};
}

void StateMap::drop(std::string_view key) {
  const auto found = slots_.find(key);
  if (found == slots_.end()) return;
  const MapEntry& entry = found->second.entry;
  buckets_[bucket_of(key)] ^= hash_of(entry);
  tombstones_ -= entry.value ? 0 : 1;
  bytes_ -= bytes_of(entry);
  slots_.erase(found);
}

std::vector<StateMap::Change> StateMap::take_changes() {
  std::vector<Change> changes;
  for (const auto& [key, local] : changes_) changes.push_back({key, local});
  changes_.clear();
  return changes;
}

std::vector<std::string> StateMap::forget_owner(const NodeId& id) {
  const std::string prefix = own_key(id, "");
  std::vector<std::string> keys;
  for (auto it = slots_.lower_bound(prefix); it != slots_.end() && it->first.starts_with(prefix);
       ++it)
    keys.push_back(it->first);
  for (const std::string& key : keys) {
    drop(key);
    changes_.erase(key);
  }
  return keys;
}

// Counters are times as well, and no member's clock that is behind makes them go back.
bool StateMap::is_forgotten(const MapEntry& entry, std::int64_t wall_ms) const {
  if (entry.value) return false;
  return entry.version.counter + kTombstoneMs <= std::max(counter_, counter_of(wall_ms));
}

void StateMap::prune(std::int64_t wall_ms) {
  if (tombstones_ == 0) return;
  std::vector<const MapEntry*> tombstones;
  for (const auto& [key, slot] : slots_)
    if (!slot.entry.value) tombstones.push_back(&slot.entry);
  std::ranges::sort(tombstones, {}, &MapEntry::version);
  std::vector<std::string> forgotten;
  for (const MapEntry* entry : tombstones) {
    if (tombstones.size() - forgotten.size() <= kTombstonesMax && !is_forgotten(*entry, wall_ms))
      break;
    forgotten.push_back(entry->key);
  }
  for (const std::string& key : forgotten) drop(key);
}

std::uint64_t StateMap::digest() const {
  Hash64 all;
  for (const std::uint64_t bucket : buckets_) all.add(bucket);
  return all.value();
}

std::size_t StateMap::bucket_of(std::string_view key) {
  return Hash64().add(key).value() % kMapBuckets;
}

std::uint64_t StateMap::hash_of(const MapEntry& entry) {
  Hash64 hash;
  hash.add(entry.key).add(entry.version.counter).add(entry.version.node);
  hash.add(std::uint64_t{entry.value ? 1U : 0U});
  if (entry.value) hash.add(*entry.value);
  return hash.value();
}

std::vector<const MapEntry*> StateMap::entries_after(std::string_view after,
                                                     const std::array<bool, kMapBuckets>& wanted,
                                                     std::size_t count_max) const {
  std::vector<const MapEntry*> found;
  for (auto it = slots_.upper_bound(after); it != slots_.end() && found.size() < count_max; ++it)
    if (wanted[bucket_of(it->first)]) found.push_back(&it->second.entry);
  return found;
}

}  // namespace drystone::cluster
