#include "app/node/instances/free_machines.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "app/node/members/node_name.h"
#include "cluster/plan/find_node.h"

namespace drystone {

FreeMachines free_machines(const InstanceMap& map, const cluster::ClusterCore& core,
                           const std::string& model) {
  // By what is placed, as the keeper counts: what nodes tell of their reservations comes later than
  // placements come and go.
  std::map<std::string, Bytes> taken;
  const auto wanted = map.wanted();
  for (const auto& [instance, place] : map.places()) {
    if (!place.placement || place.placement->model == model || !wanted.contains(instance)) continue;
    for (const PlacedPart& part : place.placement->parts) taken[part.node] += part.bytes.total();
  }
  FreeMachines machines{.nodes = {}, .links = map.links(), .absent = {}};
  for (const auto& [id, name] : node_names(core))
    if (core.state(id) == cluster::NodeState::dead || core.state(id) == cluster::NodeState::left)
      machines.absent.push_back({.id = id, .name = name});
  for (AbsentNode& former : former_members(core)) machines.absent.push_back(std::move(former));
  for (const std::string& id : core.alive())
    if (const NodeFigures* figures = map.node(id))
      machines.nodes.push_back(figures->with_reserved(taken[id]));
  return machines;
}

std::vector<AbsentNode> former_members(const cluster::ClusterCore& core) {
  std::vector<AbsentNode> absent;
  for (cluster::MemberList::Former& one : core.members().former())
    absent.push_back({.id = std::move(one.id),
                      .name = std::move(one.name),
                      .why = one.left ? kHasLeft : kRemoved});
  return absent;
}

Plan plan_on(const FreeMachines& machines, const ModelFigures& model,
             const DesiredInstance& desired, std::uint32_t prompt_tokens) {
  if (machines.nodes.empty()) {
    Plan none;
    none.error = Error(Errc::unavailable,
                       "no node has published its figures yet; try again in some seconds");
    return none;
  }
  PlanRequest request = desired.request(desired.model);
  request.replicas = desired.replicas > 1 ? std::optional(desired.replicas) : std::nullopt;
  request.prompt_tokens = prompt_tokens;
  request.absent = machines.absent;
  return plan(model, machines.nodes, machines.links, request);
}

DesiredInstance with_ids(DesiredInstance desired, const FreeMachines& machines) {
  std::map<std::string, std::string> names;
  for (const NodeFigures& node : machines.nodes) names.emplace(node.id, node.name);
  const auto resolve = [&](std::string& name) {
    if (auto id = find_node(names, name)) name = *std::move(id);
  };
  for (std::string& name : desired.nodes) resolve(name);
  if (!desired.head.empty()) resolve(desired.head);
  return desired;
}

}  // namespace drystone
