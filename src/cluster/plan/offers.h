#pragma once

#include "cluster/plan/plan_input.h"
#include "cluster/plan/planner.h"

namespace drystone {

// Evaluates all shapes that the request allows, and writes down those that fit, the best first, and
// why the others do not. Plan::error is left empty.
Plan compare_offers(const PlanInput& input);

}  // namespace drystone
