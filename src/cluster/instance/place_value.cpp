#include "cluster/instance/place_value.h"

#include <boost/json.hpp>
#include <limits>

#include "cluster/wire/json_fields.h"

namespace drystone {

namespace json = boost::json;

json::object to_json(const PlaceValue& value) {
  if (value.placement) return to_json(*value.placement);
  return {
      {"epoch", value.epoch.number}, {"keeper", value.epoch.keeper}, {"refused", value.refused}};
}

Result<PlaceValue> place_value_from_json(const json::value& value) {
  PlaceValue place;
  const json::object* object = value.if_object();
  if (object != nullptr && object->contains("refused")) {
    JsonFields fields(value, "refused placement");
    fields.integer("epoch", place.epoch.number, 0, std::numeric_limits<std::int64_t>::max());
    fields.string("keeper", place.epoch.keeper, kPlanNameMax);
    fields.string("refused", place.refused, kRefusalTextMax);
    TRY(fields.finish_strictly());
    return place;
  }
  place.placement = TRY(placement_from_json(value));
  place.epoch = place.placement->epoch;
  return place;
}

}  // namespace drystone
