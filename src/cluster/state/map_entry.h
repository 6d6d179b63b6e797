#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cluster/wire/node_id.h"

namespace drystone::cluster {

constexpr std::size_t kMapKeyBytesMax = 256;
constexpr std::size_t kMapValueBytesMax = 64 << 10;
constexpr std::size_t kMapEntriesMax = 8192;    // values and tombstones
constexpr std::size_t kMapBytesMax = 32 << 20;  // of keys and values together
constexpr std::uint64_t kCounterMax = (std::uint64_t{1} << 53) - 1;

// Which of two writes is the later one: greater counter, then greater node id. A counter is greater
// than all its writer had seen, and not below the writer's wall time in milliseconds, so of two
// writes in a partition the later one holds, if the clocks agree.
struct Version {
  std::uint64_t counter = 0;
  NodeId node;  // that wrote it

  auto operator<=>(const Version&) const = default;
};

struct MapEntry {
  std::string key;                   // printable ASCII without spaces
  std::optional<std::string> value;  // JSON text; none: erased (a tombstone)
  Version version;

  bool operator==(const MapEntry&) const = default;
};

// Whether `a` holds against `b`, an entry of the same key: by version; for the same version (a node
// that lost its memory) the greater text.
bool supersedes(const MapEntry& a, const MapEntry& b);

// The owner of a key: of `node/<id>/...` that node, of others nobody ("").
std::string_view owner_of(std::string_view key);

// Form and limits. Errors: invalid_argument
Result<void> check_key(std::string_view key);
// The same of all parts, and that an owned key is written by its owner.
// Errors: invalid_argument, corrupt (the value is no JSON), limit
Result<void> check_entry(const MapEntry& entry);

// "node/<id>/<name>"
std::string own_key(const NodeId& node, std::string_view name);

}  // namespace drystone::cluster
