#pragma once

#include <boost/json/fwd.hpp>

#include "cluster/plan/planner.h"

namespace drystone {

// A plan as `drystone plan --json` shows it: docs/formats/cluster-api.md.
boost::json::object to_json(const Plan& plan);

}  // namespace drystone
