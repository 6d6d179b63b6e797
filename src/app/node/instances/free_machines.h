#pragma once

#include <string>
#include <vector>

#include "cluster/core/cluster_core.h"
#include "cluster/instance/desired.h"
#include "cluster/instance/instance_map.h"
#include "cluster/plan/planner.h"

namespace drystone {

// On what a model may be placed.
struct FreeMachines {
  std::vector<NodeFigures> nodes;  // alive, and their figures are known
  LinkTable links;
  std::vector<AbsentNode> absent;  // other members, and those that were some
};

// What the model has now counts as free: it would give it back. On the cluster's loop.
FreeMachines free_machines(const InstanceMap& map, const cluster::ClusterCore& core,
                           const std::string& model);

// Those that were members and are none any more.
std::vector<AbsentNode> former_members(const cluster::ClusterCore& core);

// Every sensible way to place it there; any thread. prompt_tokens: as in PlanRequest. Where no node
// has told its figures, the plan's error says so.
Plan plan_on(const FreeMachines& machines, const ModelFigures& model,
             const DesiredInstance& desired, std::uint32_t prompt_tokens);

// The same with the ids of those nodes in place of what they were called (find_node), so that a
// wish goes on to mean them when others come with the same name, or they get another one. What
// names none of them stays.
DesiredInstance with_ids(DesiredInstance desired, const FreeMachines& machines);

}  // namespace drystone
