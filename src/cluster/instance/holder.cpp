#include "cluster/instance/holder.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "cluster/wire/json_fields.h"

namespace drystone {
namespace {

namespace json = boost::json;

// Nothing that others act on differs.
bool tells_the_same(const PartState& a, const PartState& b) {
  return a.epoch == b.epoch && a.phase == b.phase && a.boot == b.boot && a.error == b.error &&
         std::abs(a.progress - b.progress) < Holder::kProgressStep;
}

}  // namespace

Holder::Part* Holder::current(const std::string& instance, const Epoch& epoch) {
  const auto found = parts_.find(instance);
  return found != parts_.end() && found->second.state.epoch == epoch ? &found->second : nullptr;
}

void Holder::raise_boot(std::uint64_t at_least) {
  if (at_least <= boot_) return;
  boot_ = at_least;
  for (auto& [instance, part] : parts_) part.state.boot = boot_;
}

void Holder::progress(const std::string& instance, const Epoch& epoch, double done) {
  Part* part = current(instance, epoch);
  if (part == nullptr || part->state.phase != PartPhase::loading) return;
  if (done > part->state.progress) part->state.progress = std::min(done, 1.0);
}

void Holder::loaded(const std::string& instance, const Epoch& epoch) {
  Part* part = current(instance, epoch);
  if (part == nullptr || part->state.phase != PartPhase::loading) return;
  part->state.phase = PartPhase::ready;
  part->state.progress = 1;
}

void Holder::failed(const std::string& instance, const Epoch& epoch, const std::string& error) {
  Part* part = current(instance, epoch);
  if (part == nullptr) return;
  if (part->state.phase == PartPhase::ready) return lost(instance, epoch, error);
  if (part->state.phase != PartPhase::loading) return;
  part->state.phase = PartPhase::failed;
  part->state.error = one_line(error, kPartErrorMax);
}

void Holder::lost(const std::string& instance, const Epoch& epoch, const std::string& error) {
  Part* part = current(instance, epoch);
  if (part == nullptr) return;
  if (part->state.phase != PartPhase::loading && part->state.phase != PartPhase::ready) return;
  part->state.phase = PartPhase::lost;
  part->state.error = one_line(error, kPartErrorMax);
}

std::vector<std::string> Holder::held() const {
  std::vector<std::string> held;
  for (const auto& [instance, part] : parts_) held.push_back(instance);
  return held;
}

void Holder::act(const InstanceMap& map, Time now, std::vector<InstanceAction>& actions) {
  const auto wanted = map.wanted();
  for (const std::string& instance : held())
    if (!wanted.contains(instance)) drop(instance, /*may_return=*/false, actions);
  for (const auto& [instance, desired] : wanted)
    if (const auto place = map.place(instance)) follow(instance, *place, map, actions);
  tell(map, now, actions);
}

void Holder::follow(const std::string& instance, const PlaceValue& place, const InstanceMap& map,
                    std::vector<InstanceAction>& actions) {
  const bool takes_part = place.placement.has_value() && place.placement->part_of(self_) != nullptr;
  const auto own = parts_.find(instance);
  // An older one may have won in the map: its keeper will see our state and make a newer one.
  if (own != parts_.end() && own->second.state.epoch >= place.epoch) {
    // Its keeper has started afresh since, and nobody knew of the first one any more: not even the
    // parts can tell them apart, so all begin again.
    if (own->second.state.epoch == place.epoch && place.placement != own->second.placement)
      failed(instance, place.epoch, "its epoch stands for another placement now");
    return;
  }
  if (takes_part)
    begin(*place.placement, map, actions);
  else if (own != parts_.end())
    drop(instance, /*may_return=*/place.placement.has_value(), actions);
}

void Holder::begin(const Placement& placement, const InstanceMap& map,
                   std::vector<InstanceAction>& actions) {
  const auto own = parts_.find(placement.instance);
  const bool had = own != parts_.end();
  Part part{placement, {.epoch = placement.epoch, .boot = boot_}};
  // A state of this very epoch from before our start: the others still count on the part that ended
  // with the process, so all of them must begin again.
  if (const auto told = map.part(placement.instance, self_);
      !had && told && told->epoch == placement.epoch && told->boot != boot_ &&
      (told->phase == PartPhase::ready || told->phase == PartPhase::lost)) {
    part.state.phase = PartPhase::lost;
    part.state.error = "the process started afresh";
    part.handed_out = false;
    parts_.insert_or_assign(placement.instance, std::move(part));
    return;
  }
  // Unloaded and wanted again before the keeper noticed: as the others' parts have ended, or will,
  // this one begins with the next epoch.
  if (const auto ended = ended_.find(placement.instance);
      ended != ended_.end() && placement.epoch <= ended->second) {
    part.state.phase = PartPhase::lost;
    part.state.error = "it was unloaded meanwhile";
    part.handed_out = false;
    parts_.insert_or_assign(placement.instance, std::move(part));
    return;
  }
  actions.push_back(LoadPart{placement});
  parts_.insert_or_assign(placement.instance, std::move(part));
}

void Holder::drop(const std::string& instance, bool may_return,
                  std::vector<InstanceAction>& actions) {
  const auto own = parts_.find(instance);
  if (own->second.handed_out) {
    actions.push_back(DropPart{instance, own->second.state.epoch, may_return});
    Epoch& ended = ended_[instance];
    ended = std::max(ended, own->second.state.epoch);
  }
  parts_.erase(own);
}

// Where the map says something else of our parts than is so.
void Holder::tell(const InstanceMap& map, Time now, std::vector<InstanceAction>& actions) {
  for (auto& [instance, part] : parts_) {
    const auto told = map.part(instance, self_);
    if (told && tells_the_same(*told, part.state)) {
      const bool has_grown =
          part.state.phase == PartPhase::loading && part.state.progress > told->progress;
      if (!has_grown || now - part.told_at < kProgressEvery) continue;
    }
    part.told_at = now;
    actions.push_back(Publish{part_key(instance, self_), to_json(part.state)});
  }
  for (const auto& [instance, node] : map.all_parts()) {
    if (node != self_ || parts_.contains(instance)) continue;
    // Of a part that ended before our start: it stays until the keeper has seen its epoch.
    const auto told = map.part(instance, self_);
    const auto place = map.place(instance);
    const bool over = !place || !told || place->epoch > told->epoch || !place->placement ||
                      place->placement->part_of(self_) == nullptr;
    if (over) actions.push_back(Publish{part_key(instance, self_), json::value(nullptr)});
  }
}

}  // namespace drystone
