#include "instance_invariants.h"

#include <fmt/format.h>

#include <set>

#include "cluster/instance/instance_map.h"
#include "instance_machine.h"

namespace drystone::sim {
namespace {

// What a plan with the memory that is free now says to a wish that was refused; "" when it agrees.
std::string wrongly_refused(const InstanceCore& core, const std::string& instance,
                            const DesiredInstance& desired, const std::vector<std::string>& alive) {
  const InstanceMap& map = core.map();
  std::map<std::string, Bytes> taken;
  std::set<std::string> replicas;
  const auto wanted = map.wanted();
  for (const auto& [other, place] : map.places()) {
    if (other == instance || !place.placement || !wanted.contains(other)) continue;
    for (const PlacedPart& part : place.placement->parts) {
      taken[part.node] += part.bytes.total();
      if (place.placement->model == desired.model) replicas.insert(part.node);
    }
  }
  std::vector<NodeFigures> nodes;
  for (const std::string& id : alive)
    if (const NodeFigures* figures = map.node(id); figures != nullptr && !replicas.contains(id))
      nodes.push_back(figures->with_reserved(taken[id]));
  if (nodes.empty()) return "";
  PlanRequest request = desired.unforced().request(instance);
  request.replicas = 1;
  const Plan found = plan(*map.model(desired.model), nodes, map.links(), request);
  return found.offers.empty() ? "" : found.offers[0].summary;
}

std::string disagreement_of(const InstanceMachine& machine, const InstanceMachine& first,
                            const std::vector<std::string>& alive) {
  const auto& core = *const_cast<InstanceMachine&>(machine).machine().core();
  const auto& first_core = *const_cast<InstanceMachine&>(first).machine().core();
  if (!core.settled()) return "is not settled";
  if (core.alive() != alive) return "does not take just those alive that run";
  if (core.state_map().digest() != first_core.state_map().digest()) return "has another state";
  const InstanceMap& map = machine.core().map();
  const auto wanted = map.wanted();
  const auto places = map.places();
  if (machine.parts().ending()) return "has parts that are still ending";
  const auto held = machine.parts().held(/*ready=*/false), ready = machine.parts().held(true);
  for (const auto& [instance, placement] : held) {
    const auto place = places.find(instance);
    if (!wanted.contains(instance) || place == places.end())
      return fmt::format("holds {}, which nobody wants", instance);
    if (place->second.placement != placement)
      return fmt::format("holds epoch {} of {}, which has {}", placement.epoch.number, instance,
                         place->second.epoch.number);
  }
  for (const auto& [instance, desired] : wanted) {
    const auto place = places.find(instance);
    if (place == places.end()) return fmt::format("knows no placement of {}", instance);
    const bool takes_part =
        place->second.placement && place->second.placement->part_of(machine.id()) != nullptr;
    if (takes_part != ready.contains(instance))
      return fmt::format("should {}hold {} epoch {}", takes_part ? "" : "not ", instance,
                         place->second.epoch.number);
    const bool head = machine.parts().head(instance, place->second.epoch.number) != nullptr;
    if (head != (takes_part && place->second.placement->head == machine.id()))
      return fmt::format("is wrongly {} head of {}", head ? "a" : "no", instance);
    const std::size_t replica = instance.find('#');
    if (place->second.placement || replica != std::string::npos || &machine != &first) continue;
    if (map.load_record(instance).gave_up()) continue;
    if (const std::string offer = wrongly_refused(machine.core(), instance, desired, alive);
        !offer.empty())
      return fmt::format("says of {}: {}; but there is a place: {}", instance,
                         place->second.refused, offer);
  }
  for (const InstanceStatus& status : machine.core().statuses())
    if (status.phase != InstancePhase::ready && status.phase != InstancePhase::refused &&
        !status.gave_up)
      return fmt::format("sees {} {}: {}", status.instance, to_string(status.phase),
                         status.message);
  return "";
}

}  // namespace

void InstanceInvariants::fail(std::string sentence) {
  if (failures_.size() < kFailuresMax) failures_.push_back(std::move(sentence));
}

void InstanceInvariants::holds(std::size_t machine, Bytes held, Bytes capacity) {
  if (held > capacity)
    fail(fmt::format("machine {} is overbooked: its parts hold {} of {}", machine,
                     format_bytes(held), format_bytes(capacity)));
}

void InstanceInvariants::published(const std::string& instance, const Epoch& epoch,
                                   std::uint64_t life) {
  if (!published_.emplace(fmt::format("{} {} {} {}", instance, epoch.number, epoch.keeper, life))
           .second)
    fail(fmt::format("epoch {} of {} is published twice by {}", epoch.number, instance,
                     epoch.keeper));
}

void InstanceInvariants::handed(std::size_t machine, const Placement& placement, Epoch& before) {
  if (placement.epoch <= before)
    fail(fmt::format("machine {} is handed epoch {} ({}) of {} after {} ({})", machine,
                     placement.epoch.number, placement.epoch.keeper, placement.instance,
                     before.number, before.keeper));
  before = placement.epoch;
  if (const auto valid = validate(placement); !valid) fail(valid.error().message());
}

std::string InstanceInvariants::disagreement(const Machines& machines) {
  std::vector<std::string> alive;
  const InstanceMachine* first = nullptr;
  for (const auto& machine : machines)
    if (machine->is_up()) {
      alive.push_back(machine->id());
      if (first == nullptr) first = machine.get();
    }
  std::ranges::sort(alive);
  for (const auto& machine : machines) {
    if (!machine->is_up()) continue;
    if (std::string wrong = disagreement_of(*machine, *first, alive); !wrong.empty())
      return fmt::format("machine {} {}", machine->number(), wrong);
  }
  return "";
}

}  // namespace drystone::sim
