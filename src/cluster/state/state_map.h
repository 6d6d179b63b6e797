#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cluster/state/map_entry.h"

namespace drystone::cluster {

constexpr std::size_t kMapBuckets = 64;
constexpr std::uint64_t kTombstoneMs = std::uint64_t{30} * 24 * 3600 * 1000;  // then forgotten
constexpr std::size_t kTombstonesMax = 4096;  // beyond, the oldest are forgotten
// 1000 years: more than any clock is wrong by, and far from where counters end.
constexpr std::uint64_t kCounterAheadMs = std::uint64_t{365'250} * 24 * 3600 * 1000;

// The state that all members share: keys with JSON texts, last writer wins, merged in any order to
// the same. What is erased leaves a tombstone for 30 days: a node that was away for longer can
// bring such a key back.
//
// Keys `node/<id>/...` are written by that node only, and belong to one life of its process: what
// an earlier life wrote is erased when it comes back from others or from disk, unless this life
// wrote the key again. Between members this guards against mistakes, not against malice: entries
// are not signed.
//
// `wall_ms`: milliseconds since 1970 UTC. Not thread-safe.
class StateMap {
 public:
  using Buckets = std::array<std::uint64_t, kMapBuckets>;
  struct Change {
    std::string key;
    bool local = false;  // by a call here, not learned from others
  };

  explicit StateMap(NodeId self) : self_(std::move(self)) {}

  // Null: no such key. Valid until the key changes.
  const std::string* get(std::string_view key) const;
  const MapEntry* entry(std::string_view key) const;  // tombstones too
  // (key, value) of all keys that begin with `prefix`, sorted.
  std::vector<std::pair<std::string, std::string>> list(std::string_view prefix) const;
  std::vector<const MapEntry*> entries() const;       // all, by key; valid until the next change
  std::size_t size() const { return slots_.size(); }  // with tombstones

  // The value that is there already: nothing happens.
  // Errors (nothing changes): invalid_argument (key, another node's key), corrupt (no JSON), limit
  Result<void> put(std::string_view key, std::string_view value, std::int64_t wall_ms);
  Result<void> erase(std::string_view key, std::int64_t wall_ms);  // no such key: nothing happens

  // Whether its counter, which is a time as well, is more than kCounterAheadMs after `wall_ms`.
  // Every write after one that is taken has a greater counter, for good: one near kCounterMax would
  // end all writing.
  static bool is_ahead(const MapEntry& entry, std::int64_t wall_ms);
  // True: it was news. Errors as put; limit also where the entry is ahead.
  Result<bool> merge(MapEntry entry, std::int64_t wall_ms);
  // What was put, erased or learned since the last call, by key.
  std::vector<Change> take_changes();
  // Forgets all keys of a node that is no member any more, without tombstones. Returns them.
  std::vector<std::string> forget_owner(const NodeId& id);
  void prune(std::int64_t wall_ms);  // tombstones

  // Equal for equal maps and else not, but for chance (64 bit). Buckets tell where maps differ.
  std::uint64_t digest() const;
  const Buckets& buckets() const { return buckets_; }
  static std::size_t bucket_of(std::string_view key);
  static std::uint64_t hash_of(const MapEntry& entry);
  // Keys after `after`, in order, of the buckets that `wanted` marks; at most `count_max`.
  std::vector<const MapEntry*> entries_after(std::string_view after,
                                             const std::array<bool, kMapBuckets>& wanted,
                                             std::size_t count_max) const;

 private:
  struct Slot {
    MapEntry entry;
    bool of_this_life = false;
  };
  bool is_forgotten(const MapEntry& entry, std::int64_t wall_ms) const;
  Result<void> check_room(const MapEntry& entry) const;
  Result<Version> next_version(std::int64_t wall_ms) const;
  Result<bool> reclaim(const MapEntry& returned, std::int64_t wall_ms);
  void store(MapEntry entry, bool local);
  void drop(std::string_view key);

  NodeId self_;
  std::uint64_t counter_ = 0;
  std::map<std::string, Slot, std::less<>> slots_;
  Buckets buckets_{};
  std::map<std::string, bool> changes_;  // local
  std::size_t tombstones_ = 0, bytes_ = 0;
};

}  // namespace drystone::cluster
