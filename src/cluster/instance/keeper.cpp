#include "cluster/instance/keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "cluster/plan/json_fields.h"

namespace drystone {
namespace {

namespace json = boost::json;

// "atlas: the disk is full", of the first of those that failed.
std::string failure_of(const KeeperView& view, const Placement& placement,
                       const std::vector<std::string>& failed) {
  const auto states = view.map.parts(placement.instance);
  for (const PlacedPart& part : placement.parts) {
    const auto state = states.find(part.node);
    const bool told = state != states.end() && state->second.epoch == placement.epoch &&
                      !state->second.error.empty();
    const bool stalled = std::ranges::find(failed, part.node) != failed.end();
    if (told || stalled)
      return one_line(fmt::format("{}: {}", view.map.shown_name(part.node),
                                  told ? state->second.error : "loads without getting on"),
                      kLoadErrorMax);
  }
  return "its parts do not stay";
}

// Nor by what follows from links measured anew: that is not worth loading it again.
bool same_but_epoch(Placement a, const Placement& b) {
  a.epoch = b.epoch;
  a.one_shot_bytes = b.one_shot_bytes;
  return a == b;
}

}  // namespace

void Keeper::node_came(const std::string& node, Time now) {
  came_[node] = now;
  seen_.insert(node);
  ++inputs_, ++nodes_;
}

void Keeper::node_went(const std::string& node) {
  came_.erase(node);
  // A process that comes back is another one.
  for (auto& [instance, kept] : kept_) kept.blame.erase(node);
  ++inputs_, ++nodes_;
}

void Keeper::key_changed(std::string_view key) {
  if (key.starts_with(kWantPrefix) || key.starts_with(kModelPrefix))
    ++inputs_, ++nodes_;
  else if (key.starts_with(kFiguresPrefix) || key.starts_with(kLinkPrefix))
    ++inputs_;
}

void Keeper::rest() {
  kept_.clear();
  current_.clear();
  orphans_.clear();
  old_records_.clear();
  planning_.reset();
}

void Keeper::act(const KeeperView& view, std::vector<InstanceAction>& actions) {
  const auto wanted = view.map.wanted();
  if (!looked_)
    for (const auto& [instance, desired] : wanted) at_start_.insert(instance);
  looked_ = true;
  current_ = view.map.places();
  if (planning_) planning_->asked = false;
  clean(view, wanted, actions);
  for (const auto& [instance, desired] : wanted) {
    Epoch highest;
    if (const auto place = current_.find(instance); place != current_.end())
      highest = place->second.epoch;
    for (const auto& [node, state] : view.map.parts(instance))
      highest = std::max(highest, state.epoch);
    keep(view, instance, desired, highest, actions);
  }
  if (planning_ && !planning_->asked) planning_.reset();  // nobody needs it any more
}

// What nobody asks for, and what dead nodes left behind.
void Keeper::clean(const KeeperView& view, const std::map<std::string, DesiredInstance>& wanted,
                   std::vector<InstanceAction>& actions) {
  // Epochs never begin anew, so that a node that missed it all cannot take an old placement for a
  // new one: what is over keeps its number.
  for (const auto& [instance, place] : current_) {
    if (wanted.contains(instance) || !place.placement) continue;
    const Time since = orphans_.try_emplace(instance, view.now).first->second;
    if (view.now - since < kOrphanWait) continue;
    const PlaceValue over{.epoch = {place.epoch.number + 1, self_}, .refused = "unloaded"};
    actions.push_back(Publish{place_key(instance), to_json(over)});
  }
  std::erase_if(orphans_, [&](const auto& orphan) {
    const auto place = current_.find(orphan.first);
    return place == current_.end() || !place->second.placement;
  });
  for (const std::string& instance : view.map.load_records()) {
    if (wanted.contains(instance)) {
      old_records_.erase(instance);
    } else if (view.now - old_records_.try_emplace(instance, view.now).first->second >=
               kOrphanWait) {
      old_records_.erase(instance);
      actions.push_back(Publish{load_record_key(instance), json::value(nullptr)});
    }
  }
  std::erase_if(current_, [&](const auto& place) { return !wanted.contains(place.first); });
  std::erase_if(kept_, [&](const auto& kept) { return !wanted.contains(kept.first); });
  std::erase_if(at_start_, [&](const auto& instance) { return !wanted.contains(instance); });
  for (const auto& [instance, node] : view.map.all_parts()) {
    if (view.alive.contains(node)) continue;
    const auto state = view.map.part(instance, node);
    const auto place = current_.find(instance);
    const bool needed = wanted.contains(instance) && state &&
                        (place == current_.end() || place->second.epoch <= state->epoch);
    if (!needed) actions.push_back(Publish{part_key(instance, node), json::value(nullptr)});
  }
}

void Keeper::keep(const KeeperView& view, const std::string& instance,
                  const DesiredInstance& desired, const Epoch& highest,
                  std::vector<InstanceAction>& actions) {
  const ModelFigures* model = view.map.model(desired.model);
  if (model == nullptr) return;  // No node has the file yet: statuses() says so.
  Kept& kept = kept_[instance];
  const auto found = current_.find(instance);
  const PlaceValue* place = found == current_.end() ? nullptr : &found->second;
  const LoadRecord stored = view.map.load_record(instance);
  LoadRecord record = stored, told = stored;
  const bool new_wish = stored.asked != desired.asked;
  if (new_wish) {  // What was before counts no more: it begins at once, with all nodes.
    record = {.asked = desired.asked};
    kept.failures = 0;
    kept.blame.clear();
  }
  const auto answered = [&] {
    kept.wish = desired;
    if (std::exchange(told, record) != record)
      actions.push_back(Publish{load_record_key(instance), to_json(record)});
  };
  const auto give_up = [&] {
    if (place != nullptr && place->placement)
      publish({.refused = record.error}, instance, highest, actions);
    answered();
  };
  Look look = look_at(view, kept, place, desired, *model, highest);
  // It was unloaded meanwhile, by some of its nodes at least.
  if (place != nullptr && orphans_.erase(instance) > 0) look = {Finding::outdone, {}};
  const bool replacing = std::exchange(kept.replacing, false);
  const bool stands = look.finding == Finding::good || look.finding == Finding::substitute;
  if (stands) {
    kept.last = place->placement;
    if (recover(view, kept, *place->placement)) record.was_ready = true;
  }
  if (record.gave_up()) return give_up();
  // What replaced the shape of an earlier wish does not answer the newest one, nor does a shape
  // that only the one before asked for, nor what failed.
  const bool freed = kept.wish && kept.wish->forced() && !kept.wish->same_choice(desired);
  const bool misses = look.finding == Finding::substitute || (stands && freed) ||
                      look.finding == Finding::missing || look.finding == Finding::part_lost ||
                      look.finding == Finding::part_failed;
  if ((new_wish && misses) || (stands && replacing) ||
      (stands && stands_in_the_way(view, instance, kept, *place->placement, desired, *model)))
    look.finding = Finding::changed;
  const bool joining = view.alive.size() > 1 && view.now - start_ < kJoinWait;
  if (place == nullptr && joining) return;
  if (stands && look.finding != Finding::changed) answered();
  const std::uint32_t failures = kept.failures;
  const bool now =
      time_to_act(view, instance, kept, look, place == nullptr ? Epoch{} : place->epoch);
  if (kept.failures > failures && !record.was_ready) {
    ++record.failures;
    record.error = failure_of(view, *place->placement, look.nodes);
    if (record.gave_up()) return give_up();
    answered();
  }
  if (!now) return;

  const Placement* again = nullptr;  // The same once more, with a higher epoch.
  const auto can_run = [&](const std::optional<Placement>& placement) {
    return placement && may_run(view, *placement, desired, *model);
  };
  if (look.finding == Finding::outdone)
    again = can_run(place->placement) ? &*place->placement
            : can_run(kept.last)      ? &*kept.last
                                      : nullptr;
  if (look.finding == Finding::part_lost && kept.failures < 2) again = &*place->placement;
  if (again != nullptr) {
    publish({.placement = *again}, instance, highest, actions);
    return answered();
  }

  // Nobody has told its figures yet.
  if (std::ranges::none_of(view.alive,
                           [&](const auto& node) { return view.map.node(node) != nullptr; }))
    return;
  auto plan = planned(instance, [&] { return job_for(view, instance, desired, *model); });
  kept.replacing = !plan && look.finding == Finding::changed;
  if (!plan) return;
  PlaceValue made = std::move(plan->value);
  const bool as_asked = made.placement && made.placement->degraded.empty();
  kept.tried_at = view.now, kept.tried_inputs = plan->inputs, kept.tried_nodes = plan->nodes;
  kept.held_back = !as_asked && starting(view, instance) && look.finding != Finding::changed;
  if (kept.held_back || (!as_asked && look.finding == Finding::substitute)) return;
  // The best for the new wish may be what is there.
  if (!stands || !made.placement || !same_but_epoch(*made.placement, *place->placement))
    publish(std::move(made), instance, highest, actions);
  answered();
}

void Keeper::publish(PlaceValue value, const std::string& instance, const Epoch& highest,
                     std::vector<InstanceAction>& actions) {
  const auto present = current_.find(instance);
  const bool same_refusal = !value.placement && present != current_.end() &&
                            !present->second.placement && present->second.epoch == highest &&
                            present->second.refused == value.refused;
  if (same_refusal) return;
  value.epoch = {highest.number + 1, self_};
  if (value.placement) value.placement->epoch = value.epoch;
  actions.push_back(Publish{place_key(instance), to_json(value)});
  current_.insert_or_assign(instance, std::move(value));
}

}  // namespace drystone
