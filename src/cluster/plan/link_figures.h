#pragma once

#include <boost/json/fwd.hpp>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"

namespace drystone {

// What was measured between two nodes over the best pair of their interfaces, seen from `from`.
struct LinkFigures {
  std::string from, to;                // node ids
  std::optional<double> round_trip_s;  // of a small message
  std::optional<double> exchange_s;    // both send a small message and have the other's
  std::optional<double> bandwidth, bandwidth_back;  // bytes/s from -> to, and to -> from
  std::string from_interface, to_interface;         // the pair that was best; "" when not told
  std::string from_address, to_address;  // of that pair, without ports; "": as the system
  bool operator==(const LinkFigures&) const = default;
};

// The same seen from the other side.
LinkFigures turned(const LinkFigures& link);

boost::json::object to_json(const LinkFigures& figures);
// Errors: corrupt  a field of the wrong kind, a time below 0, a bandwidth that is not above 0.
Result<LinkFigures> link_figures_from_json(const boost::json::value& value);

// All links of a cluster. A pair that only one side has measured is known from both. A value.
class LinkTable {
 public:
  // Takes the place of what stood there for the same direction.
  void set(const LinkFigures& link);
  // From `from` to `to`, as `from` measured it; else turned around as `to` did; else all unknown.
  LinkFigures between(const std::string& from, const std::string& to) const;
  bool empty() const { return links_.empty(); }

 private:
  std::map<std::pair<std::string, std::string>, LinkFigures> links_;
};

}  // namespace drystone
