#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cluster/members/member_list.h"

namespace drystone::cluster {

constexpr std::size_t kMemberListBytesMax = 4 << 20;

// The JSON form of a whole list (docs/formats/cluster.md), for disk and for the welcome of a new
// member. parse checks every signature: what it gives is a valid list.
// Errors: corrupt, with the place ("entries[3] (nova): ...") and the reason; limit
std::string to_json(const MemberList& list);
Result<MemberList> parse_member_list(std::string_view json, const Crypto& crypto);
Result<MemberList> parse_member_list(const boost::json::value& json, const Crypto& crypto);

// Single parts, as they stand in lists and messages. Signatures are not checked.
boost::json::object to_json(const MemberEntry& entry);
boost::json::object to_json(const Removal& removal);
Result<MemberEntry> parse_member_entry(const boost::json::value& json);
Result<Removal> parse_removal(const boost::json::value& json);

}  // namespace drystone::cluster
