#include <algorithm>
#include <utility>

#include "cluster/instance/keeper.h"
#include "cluster/wire/json_fields.h"

// How a keeper plans: with which nodes, and what it does where that gives nothing.

namespace drystone {
namespace {

constexpr std::size_t kDegradedTextMax = 1000;

bool names(const std::string& name, const std::string& id, const InstanceMap& map) {
  const NodeFigures* figures = map.node(id);
  return name == id || (figures != nullptr && figures->is_called(name));
}

// Those that live first, then dead ones: another node may have had the same name before.
std::vector<AbsentNode> absent_nodes(const KeeperView& view, const std::set<std::string>& taken) {
  std::vector<AbsentNode> absent;
  for (const std::string& id : view.alive)
    if (taken.contains(id))
      absent.push_back({.id = id, .name = view.map.shown_name(id), .why = kTaken});
  for (const std::string& id : view.map.nodes())
    if (!view.alive.contains(id) && !view.removed.contains(id))
      absent.push_back({.id = id, .name = view.map.shown_name(id)});
  for (const auto& [id, node] : view.removed) absent.push_back(node);
  return absent;
}

// What a request's forced numbers come to: one alone leaves the other at one.
bool has_shape(const Placement& placement, const DesiredInstance& desired) {
  if (!desired.stages && !desired.shards) return true;
  if (placement.stages() != desired.stages.value_or(1)) return false;
  return std::ranges::all_of(placement.parts, [&](const PlacedPart& part) {
    return part.ranks == desired.shards.value_or(1);
  });
}

// A place for one of `to_place` replicas that leaves room for the others: as many as there can be.
// One of several takes a single node where it can. `why`: of the error, the reason alone.
Result<Placement> place_one(const ModelFigures& model, const std::vector<NodeFigures>& nodes,
                            const LinkTable& links, PlanRequest request, std::uint32_t to_place,
                            bool one_of_several, std::string& why) {
  request.replicas = to_place > 1 ? std::nullopt : std::optional(1u);
  Plan found = plan(model, nodes, links, request);
  why = found.why;
  if (found.offers.empty()) return *std::move(found.error);
  const auto first = [&](auto is_wanted) {
    const auto offer = std::ranges::find_if(found.offers, is_wanted);
    return offer == found.offers.end() ? nullptr : &offer->placements;
  };
  const auto is = [](PlanKind kind) {
    return [kind](const Offer& offer) { return offer.kind == kind; };
  };
  if (to_place > 1) {
    const auto* most = first(is(PlanKind::replicas));
    if ((most == nullptr || most->size() < to_place) && nodes.size() >= to_place) {
      request.replicas = to_place;
      const Plan all = plan(model, nodes, links, request);
      if (!all.offers.empty()) return all.offers[0].placements[0];
    }
    if (most != nullptr) return (*most)[0];
  }
  if (one_of_several)
    if (const auto* alone = first(is(PlanKind::one_node))) return (*alone)[0];
  return found.offers[0].placements[0];
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
  if (placement.parts.size() > 1 && desired.row_format && placement.stages() > 1 &&
      *desired.row_format != placement.row_format)
    return false;
  if (!desired.head.empty() && !names(desired.head, placement.head, map)) return false;
  return desired.nodes.empty() || std::ranges::all_of(placement.parts, [&](const PlacedPart& part) {
           return std::ranges::any_of(
               desired.nodes, [&](const std::string& name) { return names(name, part.node, map); });
         });
}

// Those alive whose figures are known. What other placements take of them counts as reserved,
// whether they have loaded it yet or not; what this instance has counts as free.
std::vector<NodeFigures> Keeper::nodes_for(const Turn& turn) const {
  std::map<std::string, Bytes> taken;
  for (const auto& [other, place] : current_) {
    if (other == turn.instance || !place.placement) continue;
    for (const PlacedPart& part : place.placement->parts) taken[part.node] += part.bytes.total();
  }
  std::vector<NodeFigures> nodes;
  for (const std::string& id : turn.view.alive) {
    if (nodes.size() == kPlanNodesMax) break;
    const NodeFigures* figures = turn.view.map.node(id);
    if (figures == nullptr) continue;
    Bytes reserved = taken[id];
    // Where loading failed the node holds nothing of this instance, and may know better than we
    // what is reserved there.
    if (turn.kept.blame.contains(id)) reserved = std::max(reserved, figures->reserved_bytes);
    nodes.push_back(figures->with_reserved(reserved));
  }
  return nodes;
}

// Without those that have another replica of the model.
std::vector<NodeFigures> Keeper::usable(const Turn& turn, std::vector<NodeFigures> nodes) const {
  const std::set<std::string> replicas = other_replicas(turn);
  std::erase_if(nodes, [&](const NodeFigures& node) { return replicas.contains(node.id); });
  return nodes;
}

std::set<std::string> Keeper::other_replicas(const Turn& turn) const {
  std::set<std::string> nodes;
  for (const auto& [other, place] : current_) {
    if (other == turn.instance || !place.placement) continue;
    if (place.placement->model != turn.desired.model) continue;
    for (const PlacedPart& part : place.placement->parts) nodes.insert(part.node);
  }
  return nodes;
}

// Its own instance among them.
std::uint32_t Keeper::replicas_to_place(const Turn& turn) const {
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < turn.desired.replicas; ++i) {
    const std::string replica = instance_name(turn.desired.model, i);
    const auto place = current_.find(replica);
    count += replica == turn.instance || place == current_.end() || !place->second.placement;
  }
  return count;
}

bool Keeper::stands_in_the_way(const Turn& turn) {
  const DesiredInstance& desired = turn.desired;
  const std::size_t parts = turn.place->placement->parts.size();
  if (desired.replicas < 2 || desired.stages || desired.shards || parts < 2) return false;
  const std::uint32_t to_place = replicas_to_place(turn);
  if (to_place < 2 || turn.kept.narrowed_inputs == inputs_) return false;
  const auto narrow = planned(turn.instance + " with more replicas", [&]() -> PlanJob {
    PlanRequest request = desired.request(turn.instance);
    request.replicas = to_place;
    request.neighbours = nodes_for(turn);
    return [model = turn.model, nodes = usable(turn, request.neighbours),
            links = turn.view.map.links(), request, to_place]() -> PlaceValue {
      if (nodes.size() < to_place) return {};
      const Plan found = plan(model, nodes, links, request);
      if (found.offers.empty()) return {};
      return {.placement = found.offers[0].placements[0]};
    };
  });
  if (!narrow) return false;
  turn.kept.narrowed_inputs = narrow->inputs;
  return narrow->value.placement && narrow->value.placement->parts.size() < parts;
}

std::optional<Keeper::Made> Keeper::planned(const std::string& name,
                                            const std::function<PlanJob()>& job) {
  if (plans_ == nullptr) return Made{job()(), inputs_, nodes_};
  if (planning_ && planning_->name != name) return std::nullopt;
  if (!planning_ || planning_->nodes != nodes_)
    planning_ = {.name = name, .number = ++plans_begun_, .inputs = inputs_, .nodes = nodes_};
  planning_->asked = true;
  auto value = plans_->made(planning_->number, job);
  if (!value) return std::nullopt;
  const Planning done = *std::exchange(planning_, std::nullopt);
  return Made{*std::move(value), done.inputs, done.nodes};
}

PlanJob Keeper::job_for(const Turn& turn) const {
  std::vector<NodeFigures> all = nodes_for(turn);
  std::vector<NodeFigures> nodes = usable(turn, all);
  std::vector<NodeFigures> trusted = nodes;
  std::erase_if(trusted, [&](const NodeFigures& node) {
    const auto blame = turn.kept.blame.find(node.id);
    return blame != turn.kept.blame.end() && turn.view.now < blame->second.until;
  });
  return [instance = turn.instance, desired = turn.desired, model = turn.model,
          all = std::move(all), nodes = std::move(nodes), trusted = std::move(trusted),
          links = turn.view.map.links(), to_place = replicas_to_place(turn),
          absent = absent_nodes(turn.view, other_replicas(turn))]() -> PlaceValue {
    if (nodes.empty())
      return {.refused = "no node is left for another replica of " + desired.model +
                         ". Add a node, or ask for fewer replicas"};
    const bool several = desired.replicas > 1;
    std::string why;
    const auto planned = [&](const DesiredInstance& wanted) {
      PlanRequest request = wanted.request(instance);
      request.absent = absent;
      request.neighbours = all;
      Result<Placement> found = Error(Errc::unavailable, "no node is left");
      if (trusted.size() < nodes.size())
        found = place_one(model, trusted, links, request, to_place, several, why);
      if (found) return found;
      return place_one(model, nodes, links, request, to_place, several, why);
    };
    auto asked = planned(desired);
    if (asked) return {.placement = *std::move(asked)};
    if (desired.forced()) {
      const std::string reason = why;
      if (auto substitute = planned(desired.unforced())) {
        substitute->degraded = one_line(reason, kDegradedTextMax);
        return {.placement = *std::move(substitute)};
      }
    }
    return {.refused = one_line(asked.error().message(), kRefusalTextMax)};
  };
}

}  // namespace drystone
