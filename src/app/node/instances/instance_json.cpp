#include "app/node/instances/instance_json.h"

#include <boost/json.hpp>

namespace drystone {
namespace {

namespace json = boost::json;

json::object part_json(const InstanceStatus& status, const PlacedPart& part) {
  json::object out = {{"node", part.node},
                      {"stage", part.stage},
                      {"rank", part.rank},
                      {"ranks", part.ranks},
                      {"layers", json::array{part.layers.begin, part.layers.end}},
                      {"kv_heads", json::array{part.kv_heads.begin, part.kv_heads.end}},
                      {"bytes", part.bytes.total()}};
  const auto state = status.parts.find(part.node);
  if (state == status.parts.end()) {
    out["state"] = "waiting";
    out["progress"] = 0.0;
    return out;
  }
  out["state"] = to_string(state->second.phase);
  out["progress"] = state->second.progress;
  if (!state->second.error.empty()) out["error"] = state->second.error;
  return out;
}

}  // namespace

json::object to_json(const InstanceStatus& status,
                     const std::function<std::string(const std::string& node)>& name_of) {
  json::object out = {{"instance", status.instance},
                      {"model", status.model},
                      {"state", to_string(status.phase)},
                      {"epoch", 0},
                      {"progress", status.phase == InstancePhase::ready ? 1.0 : status.progress}};
  json::array parts;
  if (status.placement) {
    const Placement& placement = *status.placement;
    out["epoch"] = placement.epoch.number;
    out["keeper"] = placement.epoch.keeper;
    out["head"] = placement.head;
    out["context"] = placement.context;
    out["streams"] = placement.streams;
    out["stages"] = placement.stages();
    for (const PlacedPart& part : placement.parts) {
      json::object one = part_json(status, part);
      one["name"] = name_of(part.node);
      parts.push_back(std::move(one));
    }
  }
  out["parts"] = std::move(parts);
  if (status.gave_up) out["gave_up"] = true;
  if (!status.message.empty()) out["message"] = status.message;
  return out;
}

}  // namespace drystone
