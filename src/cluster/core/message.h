#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cluster/members/member_list.h"
#include "cluster/membership/membership_part.h"
#include "cluster/state/state_part.h"
#include "cluster/wire/crypto.h"

namespace drystone::cluster {

constexpr std::uint64_t kMessageVersion = 1;
constexpr std::size_t kMessageBytesMax = 256 << 10;
constexpr std::size_t kMessagesAtOnceMax = 64;  // to one node; the rest is found by comparing

// What one member says to another, all in one (docs/formats/cluster.md).
struct Message {
  ClusterId cluster{};
  MembershipPart membership;
  StatePart state;
  std::uint64_t members = 0;  // first 8 bytes of the member list's digest
  std::vector<MemberEntry> entries;
  std::vector<Removal> removals;

  bool operator==(const Message&) const = default;
};

// As many texts as it takes, none above kMessageBytesMax; each is a message of its own.
std::vector<std::string> to_texts(const Message& message);

// Strict, but for fields of the whole message that are not known: they are left to later versions.
// Signatures are not checked. Errors: corrupt, with the place; limit (length)
Result<Message> parse_message(std::string_view text);

boost::json::object to_json(const MapEntry& entry);
Result<MapEntry> parse_map_entry(const boost::json::value& json);

}  // namespace drystone::cluster
