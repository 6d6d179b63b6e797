#include "app/node/instances/instance_list.h"

#include <boost/json.hpp>
#include <utility>

#include "app/load/engine_metrics.h"
#include "app/node/instances/instance_json.h"
#include "cluster/instance/instance_map.h"

namespace drystone {
namespace {

namespace json = boost::json;

// Whether what is there answers the newest wish, as the keeper has decided: it has the wished
// shape, or replaces it where that cannot be.
bool is_current(const InstanceStatus& status, const DesiredInstance& desired,
                const InstanceMap& map) {
  if (!status.answered) return false;
  const ModelFigures* model = map.model(status.model);
  return !status.placement || model == nullptr ||
         satisfies(*status.placement, desired, *model, map);
}

}  // namespace

json::array list_instances(const InstanceCore& core, const NodeNames& name_of,
                           const std::function<bool(const std::string& model)>& is_served) {
  json::array all;
  const auto wanted = core.map().wanted();
  for (const InstanceStatus& status : core.statuses()) {
    json::object one = to_json(status, name_of);
    const auto wish = wanted.find(status.instance);
    if (wish != wanted.end()) one["wish"] = to_json(wish->second);
    one["current"] = wish != wanted.end() && is_current(status, wish->second, core.map());
    one["served"] = is_served(status.model);
    all.push_back(std::move(one));
  }
  return all;
}

std::vector<ModelLoad> list_loads(const InstanceCore& core, const NodeNames& name_of,
                                  const PartRunner& parts) {
  std::vector<ModelLoad> loads;
  for (const InstanceStatus& status : core.statuses()) {
    ModelLoad one{.model = status.model,
                  .instance = status.instance,
                  .state = std::string(to_string(status.phase))};
    if (status.placement) {
      const Placement& placement = *status.placement;
      one.head = name_of(placement.head);
      if (const auto head = parts.head(status.instance, placement.epoch.number))
        one.load = engine_load(head->engine().batcher().counts());
    }
    loads.push_back(std::move(one));
  }
  return loads;
}

}  // namespace drystone
