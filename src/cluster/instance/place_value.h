#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "cluster/plan/placement.h"

namespace drystone {

constexpr std::size_t kRefusalTextMax = 4096;  // bytes

// What stands at place/INSTANCE: a placement, or why there is none.
struct PlaceValue {
  Epoch epoch;
  std::optional<Placement> placement;
  std::string refused;  // of no placement
  bool operator==(const PlaceValue&) const = default;
};

// {"epoch", "keeper", "refused"}, or the placement.
boost::json::object to_json(const PlaceValue& value);
// Errors: corrupt.
Result<PlaceValue> place_value_from_json(const boost::json::value& value);

}  // namespace drystone
