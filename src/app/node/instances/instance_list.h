#pragma once

#include <boost/json/array.hpp>
#include <functional>
#include <string>
#include <vector>

#include "app/node/instances/part_runner.h"
#include "cluster/instance/instance_core.h"
#include "serve/metrics/serving_metrics.h"

namespace drystone {

// All instances that are wanted or held, as people and metrics see them. On the cluster's loop.

// What people call a node.
using NodeNames = std::function<std::string(const std::string& node)>;

// As `drystone ps --json` shows them: docs/formats/cluster-api.md. `is_served`: whether this node's
// API has a model of that name.
boost::json::array list_instances(const InstanceCore& core, const NodeNames& name_of,
                                  const std::function<bool(const std::string& model)>& is_served);
// With the load of its engine where the head is among `parts`.
std::vector<ModelLoad> list_loads(const InstanceCore& core, const NodeNames& name_of,
                                  const PartRunner& parts);

}  // namespace drystone
