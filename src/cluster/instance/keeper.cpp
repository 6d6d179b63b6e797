#include "cluster/instance/keeper.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

namespace drystone {
namespace {

namespace json = boost::json;

Keeper::Time backoff(std::uint32_t failures) {
  if (failures == 0) return {};
  constexpr std::uint32_t kDoublingsMax = 16;
  const auto wait = Keeper::kBackoffFirst * (1u << std::min(failures - 1, kDoublingsMax));
  return std::min<Keeper::Time>(wait, Keeper::kBackoffLast);
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
  Look look = look_at(view, kept, place, desired, *model, highest);
  // It was unloaded meanwhile, by some of its nodes at least.
  if (place != nullptr && orphans_.erase(instance) > 0) look = {Finding::outdone, {}};
  if (look.finding == Finding::good || look.finding == Finding::substitute) {
    kept.last = place->placement;
    recover(view, kept, *place->placement);
  }
  // What replaced the shape of an earlier wish does not answer the newest one.
  const bool other_wish = std::exchange(kept.wish, desired).value_or(desired) != desired;
  const bool replacing = std::exchange(kept.replacing, false);
  const bool stands = look.finding == Finding::good || look.finding == Finding::substitute;
  if ((stands && replacing) || (look.finding == Finding::substitute && other_wish) ||
      (stands && stands_in_the_way(view, instance, kept, *place->placement, desired, *model)))
    look.finding = Finding::changed;
  const bool joining = view.alive.size() > 1 && view.now - start_ < kJoinWait;
  if (place == nullptr && joining) return;
  if (!time_to_act(view, instance, kept, look, place == nullptr ? Epoch{} : place->epoch)) return;

  const Placement* again = nullptr;  // The same once more, with a higher epoch.
  const auto can_run = [&](const std::optional<Placement>& placement) {
    return placement && may_run(view, *placement, desired, *model);
  };
  if (look.finding == Finding::outdone)
    again = can_run(place->placement) ? &*place->placement
            : can_run(kept.last)      ? &*kept.last
                                      : nullptr;
  if (look.finding == Finding::part_lost && kept.failures < 2) again = &*place->placement;
  if (again != nullptr) return publish({.placement = *again}, instance, highest, actions);

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
  publish(std::move(made), instance, highest, actions);
}

Keeper::Look Keeper::look_at(const KeeperView& view, Kept& kept, const PlaceValue* place,
                             const DesiredInstance& desired, const ModelFigures& model,
                             const Epoch& highest) {
  if (place == nullptr) return {Finding::missing, {}};
  if (place->epoch < highest) return {Finding::outdone, {}};
  if (!place->placement) return {Finding::missing, {}};
  const Placement& placement = *place->placement;
  for (const PlacedPart& part : placement.parts)
    if (!view.alive.contains(part.node)) return {Finding::node_gone, {}};
  if (!satisfies(placement, desired, model, view.map)) return {Finding::changed, {}};
  const Look parts = look_at_parts(view, kept, placement);
  if (parts.finding != Finding::good || placement.degraded.empty()) return parts;
  return {Finding::substitute, {}};
}

Keeper::Look Keeper::look_at_parts(const KeeperView& view, Kept& kept, const Placement& placement) {
  if (kept.loading_epoch != placement.epoch) {
    kept.loading_epoch = placement.epoch;
    kept.loading.clear();
  }
  Look look{Finding::good, {}};
  const auto states = view.map.parts(placement.instance);
  for (const PlacedPart& part : placement.parts) {
    const auto found = states.find(part.node);
    const PartState* state =
        found != states.end() && found->second.epoch == placement.epoch ? &found->second : nullptr;
    if ((state != nullptr && state->phase == PartPhase::failed) ||
        stalled(kept, part.node, state, view.now)) {
      look.finding = Finding::part_failed;
      look.nodes.push_back(part.node);
    } else if (state != nullptr && state->phase == PartPhase::lost &&
               look.finding == Finding::good) {
      look.finding = Finding::part_lost;
    }
  }
  return look;
}

bool Keeper::stalled(Kept& kept, const std::string& node, const PartState* state, Time now) const {
  if (state != nullptr && state->phase != PartPhase::loading) return false;
  const double progress = state == nullptr ? 0 : state->progress;
  Loading& loading = kept.loading[node];
  if (loading.progress != progress) loading = {progress, now};
  return now - loading.since >= kLoadStall;
}

// Failures are counted once for each epoch, then waited for.
bool Keeper::time_to_act(const KeeperView& view, const std::string& instance, Kept& kept,
                         const Look& look, const Epoch& epoch) {
  switch (look.finding) {
    case Finding::good:
      return false;
    case Finding::outdone:
    case Finding::changed:
      return true;
    case Finding::node_gone:
      kept.ready_since = std::nullopt;
      return !starting(view, instance);  // A start of all machines brings them one by one.
    case Finding::missing:
    case Finding::substitute:
      return worth_a_try(view, kept, look.finding);
    case Finding::part_lost:
    case Finding::part_failed:
      break;
  }
  kept.ready_since = std::nullopt;
  if (kept.counted != epoch) {
    kept.counted = epoch;
    ++kept.failures;
    for (const std::string& node : look.nodes)
      if (++kept.blame[node].failures >= 2) kept.blame[node].until = view.now + kLeaveOut;
    // What was lost once is loaded again at once.
    const bool lost = look.finding == Finding::part_lost;
    kept.retry_at = view.now + backoff(kept.failures - (lost ? 1 : 0));
  }
  return view.now >= kept.retry_at;
}

// Whether a plan could come out otherwise than the last time.
bool Keeper::worth_a_try(const KeeperView& view, const Kept& kept, Finding finding) const {
  if (kept.tried_inputs == 0) return true;
  if (kept.held_back && view.now - start_ >= kStartWait) return true;
  if (finding == Finding::missing) {
    if (kept.tried_nodes != nodes_) return true;
    return kept.tried_inputs != inputs_ && view.now - kept.tried_at >= kRefusedRetry;
  }
  if (kept.tried_inputs == inputs_ || view.now - kept.tried_at < kSettle) return false;
  return std::ranges::all_of(came_,
                             [&](const auto& node) { return view.now - node.second >= kSettle; });
}

void Keeper::recover(const KeeperView& view, Kept& kept, const Placement& placement) {
  const auto states = view.map.parts(placement.instance);
  const bool ready = std::ranges::all_of(placement.parts, [&](const PlacedPart& part) {
    const auto found = states.find(part.node);
    return found != states.end() && found->second.epoch == placement.epoch &&
           found->second.phase == PartPhase::ready;
  });
  if (!ready) return kept.ready_since.reset();
  if (!kept.ready_since) kept.ready_since = view.now;
  if (view.now - *kept.ready_since < kSettle) return;
  kept.failures = 0;
  kept.blame.clear();
}

bool Keeper::starting(const KeeperView& view, const std::string& instance) const {
  if (!at_start_.contains(instance) || view.now - start_ >= kStartWait) return false;
  const auto place = current_.find(instance);
  if (place == current_.end() || !place->second.placement) return true;
  // One that was here and went will not appear by waiting.
  return std::ranges::any_of(place->second.placement->parts, [&](const PlacedPart& part) {
    return !view.alive.contains(part.node) && !seen_.contains(part.node);
  });
}

bool Keeper::may_run(const KeeperView& view, const Placement& placement,
                     const DesiredInstance& desired, const ModelFigures& model) const {
  for (const PlacedPart& part : placement.parts) {
    if (!view.alive.contains(part.node)) return false;
    const auto state = view.map.part(placement.instance, part.node);
    if (state && state->epoch == placement.epoch && state->phase == PartPhase::failed) return false;
  }
  return satisfies(placement, desired, model, view.map);
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
