#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/state/map_entry.h"
#include "cluster/state/state_map.h"

namespace drystone::cluster {

constexpr std::size_t kListedMax = 256;  // keys of one listing
constexpr std::size_t kWantedMax = 256;  // keys asked for in one message

// The part of a message by which two maps are made equal. Where digests differ, one side sends its
// buckets; the other lists its keys in those that differ; the first gives what it has newer or
// alone, and wants what is newer there; the other gives that.
struct StatePart {
  struct Listed {
    std::string key;
    Version version;
    std::uint64_t hash = 0;  // of the entry

    bool operator==(const Listed&) const = default;
  };
  // All keys of `buckets` in (after, until], or to the end where `until` is not given.
  struct Listing {
    std::vector<std::uint8_t> buckets;
    std::string after;
    std::optional<std::string> until;
    std::vector<Listed> keys;  // sorted

    bool operator==(const Listing&) const = default;
  };
  std::uint64_t digest = 0;
  std::optional<StateMap::Buckets> buckets;
  std::optional<Listing> listing;
  std::vector<std::string> wanted;
  std::vector<MapEntry> entries;

  bool operator==(const StatePart&) const = default;
};

}  // namespace drystone::cluster
