#include <algorithm>
#include <utility>

#include "cluster/instance/keeper.h"

// How a keeper judges a placement, and whether it is time to act on that.

namespace drystone {
namespace {

Keeper::Time backoff(std::uint32_t failures) {
  if (failures == 0) return {};
  constexpr std::uint32_t kDoublingsMax = 16;
  const auto wait = Keeper::kBackoffFirst * (1u << std::min(failures - 1, kDoublingsMax));
  return std::min<Keeper::Time>(wait, Keeper::kBackoffLast);
}

}  // namespace

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

bool Keeper::recover(const KeeperView& view, Kept& kept, const Placement& placement) {
  const auto states = view.map.parts(placement.instance);
  const bool ready = std::ranges::all_of(placement.parts, [&](const PlacedPart& part) {
    const auto found = states.find(part.node);
    return found != states.end() && found->second.epoch == placement.epoch &&
           found->second.phase == PartPhase::ready;
  });
  if (!ready) {
    kept.ready_since.reset();
    return false;
  }
  if (!kept.ready_since) kept.ready_since = view.now;
  if (view.now - *kept.ready_since >= kSettle) {
    kept.failures = 0;
    kept.blame.clear();
  }
  return true;
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

}  // namespace drystone
