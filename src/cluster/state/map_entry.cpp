#include "cluster/state/map_entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "cluster/wire/json_fields.h"

namespace drystone::cluster {
namespace {

constexpr std::string_view kOwnPrefix = "node/";
constexpr std::size_t kValueDepthMax = 32;

}  // namespace

bool supersedes(const MapEntry& a, const MapEntry& b) {
  return std::tie(a.version, a.value) > std::tie(b.version, b.value);
}

std::string_view owner_of(std::string_view key) {
  if (!key.starts_with(kOwnPrefix)) return {};
  key.remove_prefix(kOwnPrefix.size());
  const auto slash = key.find('/');
  return slash == std::string_view::npos ? std::string_view() : key.substr(0, slash);
}

std::string own_key(const NodeId& node, std::string_view name) {
  return std::string(kOwnPrefix) + node + "/" + std::string(name);
}

Result<void> check_key(std::string_view key) {
  if (key.empty() || key.size() > kMapKeyBytesMax)
    return Error(Errc::invalid_argument,
                 fmt::format("a key has {} bytes, 1 to {} may be", key.size(), kMapKeyBytesMax));
  if (!std::ranges::all_of(key, [](char c) { return c > ' ' && c <= '~'; }))
    return Error(Errc::invalid_argument, "a key has other characters than printable ASCII");
  if (key.starts_with(kOwnPrefix) && !is_node_id(owner_of(key)))
    return Error(Errc::invalid_argument, fmt::format("the key {} names no node", key));
  return {};
}

Result<void> check_entry(const MapEntry& entry) {
  TRY(check_key(entry.key));
  if (!is_node_id(entry.version.node))
    return Error(Errc::invalid_argument, fmt::format("the writer of {} is no node", entry.key));
  if (entry.version.counter > kCounterMax)
    return Error(Errc::limit, fmt::format("the counter of {} is {}, at most {}", entry.key,
                                          entry.version.counter, kCounterMax));
  const std::string_view owner = owner_of(entry.key);
  if (!owner.empty() && owner != entry.version.node)
    return Error(Errc::invalid_argument,
                 fmt::format("the key {} is written by that node only", entry.key));
  if (!entry.value) return {};
  auto json =
      parse_json(*entry.value, {.bytes_max = kMapValueBytesMax, .depth_max = kValueDepthMax});
  if (!json) return std::move(json).error().with("the value of " + entry.key);
  return {};
}

}  // namespace drystone::cluster
