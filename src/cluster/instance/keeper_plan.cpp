#include <algorithm>

#include "cluster/instance/keeper.h"
#include "cluster/plan/json_fields.h"

// How a keeper plans: with which nodes, and what it does where that gives nothing.

namespace drystone {
namespace {

constexpr std::size_t kDegradedTextMax = 1000;

bool names(const std::string& name, const std::string& id, const InstanceMap& map) {
  if (name == id) return true;
  const auto figures = map.node(id);
  return figures && figures->name == name;
}

// What a request's forced numbers come to: one alone leaves the other at one.
bool has_shape(const Placement& placement, const DesiredInstance& desired) {
  if (!desired.stages && !desired.shards) return true;
  if (placement.stages() != desired.stages.value_or(1)) return false;
  return std::ranges::all_of(placement.parts, [&](const PlacedPart& part) {
    return part.ranks == desired.shards.value_or(1);
  });
}

}  // namespace

bool satisfies(const Placement& placement, const DesiredInstance& desired,
               const ModelFigures& model, const InstanceMap& map) {
  const std::uint32_t context = desired.context > 0 ? desired.context : model.context;
  if (placement.model != desired.model || placement.shape != shape_of(model) ||
      placement.context != context || placement.streams != desired.streams ||
      placement.kv_format != desired.kv_format || placement.kv_tokens < desired.kv_tokens)
    return false;
  if (!placement.degraded.empty()) return true;
  if (!has_shape(placement, desired)) return false;
  if (!desired.head.empty() && !names(desired.head, placement.head, map)) return false;
  return desired.nodes.empty() || std::ranges::all_of(placement.parts, [&](const PlacedPart& part) {
           return std::ranges::any_of(
               desired.nodes, [&](const std::string& name) { return names(name, part.node, map); });
         });
}

// Those alive whose figures are known, without those that have another replica of the model. What
// other placements take of them counts as reserved, whether they have loaded it yet or not; what
// this instance has counts as free.
std::vector<NodeFigures> Keeper::nodes_for(const KeeperView& view, const std::string& instance,
                                           const DesiredInstance& desired) const {
  std::map<std::string, Bytes> taken;
  std::set<std::string> replicas;
  for (const auto& [other, place] : current_) {
    if (other == instance || !place.placement) continue;
    for (const PlacedPart& part : place.placement->parts) {
      taken[part.node] += part.bytes.total();
      if (place.placement->model == desired.model) replicas.insert(part.node);
    }
  }
  const auto kept = kept_.find(instance);
  std::vector<NodeFigures> nodes;
  for (const std::string& id : view.alive) {
    if (replicas.contains(id) || nodes.size() == kPlanNodesMax) continue;
    const auto figures = view.map.node(id);
    if (!figures) continue;
    Bytes reserved = taken[id];
    // Where loading failed the node holds nothing of this instance, and may know better than we
    // what is reserved there.
    if (kept != kept_.end() && kept->second.blame.contains(id))
      reserved = std::max(reserved, figures->reserved_bytes);
    nodes.push_back(figures->with_reserved(reserved));
  }
  return nodes;
}

PlaceValue Keeper::make(const KeeperView& view, const std::string& instance,
                        const DesiredInstance& desired, const ModelFigures& model) const {
  const std::vector<NodeFigures> nodes = nodes_for(view, instance, desired);
  if (nodes.empty())
    return {.refused = "no node is left for another replica of " + desired.model +
                       ". Add a node, or ask for fewer replicas"};
  const LinkTable links = view.map.links();
  std::vector<NodeFigures> trusted = nodes;
  if (const auto kept = kept_.find(instance); kept != kept_.end())
    std::erase_if(trusted, [&](const NodeFigures& node) {
      const auto blame = kept->second.blame.find(node.id);
      return blame != kept->second.blame.end() && view.now < blame->second.until;
    });
  const auto planned = [&](const DesiredInstance& wanted, const std::vector<NodeFigures>& on) {
    return plan(model, on, links, wanted.request(instance));
  };
  Plan asked;
  if (trusted.size() < nodes.size()) asked = planned(desired, trusted);
  if (asked.offers.empty()) asked = planned(desired, nodes);
  if (!asked.offers.empty()) return {.placement = asked.offers[0].placements[0]};
  if (desired.forced()) {
    Plan substitute;
    if (trusted.size() < nodes.size()) substitute = planned(desired.unforced(), trusted);
    if (substitute.offers.empty()) substitute = planned(desired.unforced(), nodes);
    if (!substitute.offers.empty()) {
      Placement placement = substitute.offers[0].placements[0];
      placement.degraded = one_line(asked.error->message(), kDegradedTextMax);
      return {.placement = std::move(placement)};
    }
  }
  return {.refused = one_line(asked.error->message(), kRefusalTextMax)};
}

}  // namespace drystone
