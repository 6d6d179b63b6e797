#include "cluster/instance/keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "cluster/wire/json_fields.h"

namespace drystone {
namespace {

namespace json = boost::json;

// "atlas: the disk is full", of the first of those that failed; else of one that was lost with it.
std::string failure_of(const KeeperView& view, const Placement& placement,
                       const std::vector<std::string>& failed) {
  const auto states = view.map.parts(placement);
  const auto says = [&](const std::string& node) {
    const auto state = states.find(node);
    const bool told = state != states.end() && !state->second.error.empty();
    return one_line(fmt::format("{}: {}", view.map.shown_name(node),
                                told ? state->second.error : "loads without getting on"),
                    kLoadErrorMax);
  };
  if (!failed.empty()) return says(failed.front());
  for (const PlacedPart& part : placement.parts)
    if (const auto state = states.find(part.node);
        state != states.end() && !state->second.error.empty())
      return says(part.node);
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
  // What it knows of parts and placements may be as old as its pause.
  if (woke_at_ && view.alive.size() > 1 && view.now - *woke_at_ < kJoinWait) return;
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
    const PlaceValue over{.epoch = next_epoch(instance, place.epoch), .refused = "unloaded"};
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
  const auto found = current_.find(instance);
  const LoadRecord record = view.map.load_record(instance);
  Turn turn{.view = view,
            .instance = instance,
            .desired = desired,
            .model = *model,
            .highest = highest,
            .place = found == current_.end() ? nullptr : &found->second,
            .kept = kept_[instance],
            .actions = actions,
            .told = record,
            .record = record,
            .new_wish = record.asked != desired.asked};
  begin(turn);
  look(turn);
  if (turn.record.gave_up()) return give_up(turn);
  if (needs_another(turn)) turn.look.finding = Finding::changed;
  const bool joining = view.alive.size() > 1 && view.now - start_ < kJoinWait;
  if (turn.place == nullptr && joining) return;
  if (turn.stands && turn.look.finding != Finding::changed) answer(turn);
  const std::uint32_t failures = turn.kept.failures;
  const bool now = time_to_act(turn);
  if (turn.kept.failures > failures && !turn.record.was_ready) {
    ++turn.record.failures;
    turn.record.error = failure_of(view, *turn.place->placement, turn.look.nodes);
    if (turn.record.gave_up()) return give_up(turn);
    answer(turn);
  }
  if (!now) return;
  if (const Placement* again = same_again(turn)) {
    publish(turn, {.placement = *again});
    return answer(turn);
  }
  plan_anew(turn);
}

// What was before a new wish counts no more: it begins at once, with all nodes.
void Keeper::begin(Turn& turn) {
  if (!turn.new_wish) return;
  turn.record = {.asked = turn.desired.asked};
  turn.kept.failures = 0;
  turn.kept.blame.clear();
}

void Keeper::answer(Turn& turn) {
  turn.kept.wish = turn.desired;
  if (std::exchange(turn.told, turn.record) != turn.record)
    turn.actions.push_back(Publish{load_record_key(turn.instance), to_json(turn.record)});
}

void Keeper::give_up(Turn& turn) {
  if (turn.place != nullptr && turn.place->placement) publish(turn, {.refused = turn.record.error});
  answer(turn);
}

const Placement* Keeper::same_again(const Turn& turn) const {
  const auto can_run = [&](const std::optional<Placement>& placement) {
    return placement && may_run(turn, *placement);
  };
  if (turn.look.finding == Finding::part_lost && turn.kept.failures < 2)
    return &*turn.place->placement;
  if (turn.look.finding != Finding::outdone) return nullptr;
  if (can_run(turn.place->placement)) return &*turn.place->placement;
  return can_run(turn.kept.last) ? &*turn.kept.last : nullptr;
}

void Keeper::plan_anew(Turn& turn) {
  // Nobody has told its figures yet.
  if (std::ranges::none_of(turn.view.alive, [&](const std::string& node) {
        return turn.view.map.node(node) != nullptr;
      }))
    return;
  Kept& kept = turn.kept;
  const Finding finding = turn.look.finding;
  auto plan = planned(turn.instance, [&] { return job_for(turn); });
  kept.replacing = !plan && finding == Finding::changed;
  if (!plan) return;
  PlaceValue made = std::move(plan->value);
  const bool as_asked = made.placement && made.placement->degraded.empty();
  kept.tried_at = turn.view.now, kept.tried_inputs = plan->inputs, kept.tried_nodes = plan->nodes;
  kept.held_back = !as_asked && starting(turn) && finding != Finding::changed;
  if (kept.held_back || (!as_asked && finding == Finding::substitute)) return;
  // The best for the new wish may be what is there.
  if (!turn.stands || !made.placement || !same_but_epoch(*made.placement, *turn.place->placement))
    publish(turn, std::move(made));
  answer(turn);
}

void Keeper::publish(const Turn& turn, PlaceValue value) {
  const auto present = current_.find(turn.instance);
  const bool same_refusal = !value.placement && present != current_.end() &&
                            !present->second.placement && present->second.epoch == turn.highest &&
                            present->second.refused == value.refused;
  if (same_refusal) return;
  // Its memory may be free for what was refused before it in this pass.
  if (present != current_.end() && present->second.placement) ++inputs_;
  value.epoch = next_epoch(turn.instance, turn.highest);
  if (value.placement) value.placement->epoch = value.epoch;
  turn.actions.push_back(Publish{place_key(turn.instance), to_json(value)});
  current_.insert_or_assign(turn.instance, std::move(value));
}

Epoch Keeper::next_epoch(const std::string& instance, const Epoch& highest) {
  std::uint64_t& used = used_[instance];
  used = std::max(used, highest.number) + 1;
  return {used, self_};
}

}  // namespace drystone
