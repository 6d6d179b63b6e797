#pragma once

#include <boost/json/fwd.hpp>
#include <functional>
#include <string>

#include "cluster/instance/instance_core.h"

namespace drystone {

// An instance as `drystone ps --json` shows it. `name_of`: what people call a node.
boost::json::object to_json(const InstanceStatus& status,
                            const std::function<std::string(const std::string& node)>& name_of);

}  // namespace drystone
