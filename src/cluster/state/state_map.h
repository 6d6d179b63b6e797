#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cluster/state/map_entry.h"

namespace drystone::cluster {

constexpr std::size_t kMapBuckets = 64;
constexpr std::int64_t kTombstoneSeconds = 30 * 24 * 3600;  // then forgotten
constexpr std::size_t kTombstonesMax = 4096;                // beyond, the oldest are forgotten

// The state that all members share: keys with JSON texts, last writer wins, merged in any order to
// the same. What is erased leaves a tombstone for 30 days: a node that was away for longer can
// bring such a key back.
//
// Keys `node/<id>/...` are written by that node only, and belong to one life of its process: what
// an earlier life wrote is erased when it comes back from others, unless this life wrote it again.
// Between members this guards against mistakes, not against malice: entries are not signed.
//
// Not thread-safe.
class StateMap {
 public:
  using Buckets = std::array<std::uint64_t, kMapBuckets>;
  struct KeyVersion {  // what is compared instead of whole entries
    std::string key;
    std::uint64_t hash = 0;  // of the entry
    Version version;
  };

  explicit StateMap(NodeId self);

  // Null: no such key. Valid until the key changes.
  const std::string* get(std::string_view key) const;
  const MapEntry* entry(std::string_view key) const;  // tombstones too
  // (key, value) of all keys that begin with `prefix`, sorted.
  std::vector<std::pair<std::string, std::string>> list(std::string_view prefix) const;
  std::size_t size() const;  // entries with tombstones
  std::uint64_t counter() const { return counter_; }

  // Errors (nothing changes): invalid_argument (key, value is no JSON, another node's key), limit
  Result<void> put(std::string_view key, std::string_view value, std::int64_t wall_ms);
  Result<void> erase(std::string_view key, std::int64_t wall_ms);  // no such key: nothing happens

  // True: it was news. Errors as put.
  Result<bool> merge(MapEntry entry, std::int64_t wall_ms);
  // What was put, erased or learned since the last call, to be told to others; sorted.
  std::set<std::string> take_changed();
  // Forgets all keys of a node that is no member any more, without tombstones.
  void forget_owner(const NodeId& id);
  void prune(std::int64_t wall_ms);

  // Equal exactly for equal maps, but for chance (64 bit). Buckets tell where maps differ.
  std::uint64_t digest() const;
  const Buckets& buckets() const { return buckets_; }
  std::vector<KeyVersion> keys_of_bucket(std::size_t bucket) const;

  std::vector<MapEntry> entries() const;  // all, by key

 private:
  struct Slot {
    MapEntry entry;
    bool of_this_life = false;
  };
  void store(MapEntry entry, bool of_this_life);
  Result<void> write(MapEntry entry, std::int64_t wall_ms);

  NodeId self_;
  std::uint64_t counter_ = 0;
  std::map<std::string, Slot, std::less<>> slots_;
  std::array<std::set<std::string>, kMapBuckets> bucket_keys_;
  Buckets buckets_{};
  std::set<std::string> changed_;
  std::size_t tombstones_ = 0;
};

}  // namespace drystone::cluster
