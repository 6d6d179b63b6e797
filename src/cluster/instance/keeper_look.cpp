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

// Fills in `look` and `stands`, and what follows from them alone.
void Keeper::look(Turn& turn) {
  turn.look = look_at_place(turn);
  // It was unloaded meanwhile, by some of its nodes at least.
  if (turn.place != nullptr && orphans_.erase(turn.instance) > 0)
    turn.look = {.finding = Finding::outdone};
  turn.replacing = std::exchange(turn.kept.replacing, false);
  turn.stands = turn.look.finding == Finding::good || turn.look.finding == Finding::substitute;
  if (!turn.stands) return;
  turn.kept.last = turn.place->placement;
  if (recover(turn.view, turn.kept, *turn.place->placement)) turn.record.was_ready = true;
}

Keeper::Look Keeper::look_at_place(const Turn& turn) const {
  if (turn.place == nullptr) return {.finding = Finding::missing};
  if (turn.place->epoch < turn.highest) return {.finding = Finding::outdone};
  if (!turn.place->placement) return {.finding = Finding::missing};
  const Placement& placement = *turn.place->placement;
  for (const PlacedPart& part : placement.parts)
    if (!turn.view.alive.contains(part.node)) return {.finding = Finding::node_gone};
  if (!satisfies(placement, turn.desired, turn.model, turn.view.map))
    return {.finding = Finding::changed};
  const Look parts = look_at_parts(turn.view, turn.kept, placement);
  if (parts.finding != Finding::good || placement.degraded.empty()) return parts;
  return {.finding = Finding::substitute};
}

Keeper::Look Keeper::look_at_parts(const KeeperView& view, Kept& kept,
                                   const Placement& placement) const {
  if (kept.loading_epoch != placement.epoch) {
    kept.loading_epoch = placement.epoch;
    kept.loading.clear();
    kept.lost_since.reset();
  }
  Look look{.finding = Finding::good};
  bool loading = false;
  const auto states = view.map.parts(placement);
  for (const PlacedPart& part : placement.parts) {
    const auto found = states.find(part.node);
    const PartState* state = found == states.end() ? nullptr : &found->second;
    if ((state != nullptr && state->phase == PartPhase::failed) ||
        stalled(kept, part.node, state, view.now)) {
      look.finding = Finding::part_failed;
      look.nodes.push_back(part.node);
    } else if (state != nullptr && state->phase == PartPhase::lost &&
               look.finding == Finding::good) {
      look.finding = Finding::part_lost;
    }
    loading |= state == nullptr || state->phase == PartPhase::loading;
  }
  if (look.finding == Finding::part_lost) {
    if (!kept.lost_since) kept.lost_since = view.now;
    look.unclear = loading && view.now - *kept.lost_since < kCauseWait;
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

bool Keeper::needs_another(const Turn& turn) {
  const Finding finding = turn.look.finding;
  // What replaced the shape of an earlier wish does not answer the newest one, nor does a shape
  // that only the one before asked for, nor what failed.
  const std::optional<DesiredInstance>& before = turn.kept.wish;
  const bool freed = before && before->forced() && !before->same_choice(turn.desired);
  const bool misses = finding == Finding::substitute || (turn.stands && freed) ||
                      finding == Finding::missing || finding == Finding::part_lost ||
                      finding == Finding::part_failed;
  return (turn.new_wish && misses) || (turn.stands && (turn.replacing || stands_in_the_way(turn)));
}

// Failures are counted once for each epoch, then waited for.
bool Keeper::time_to_act(const Turn& turn) {
  const KeeperView& view = turn.view;
  Kept& kept = turn.kept;
  switch (turn.look.finding) {
    case Finding::good:
      return false;
    case Finding::outdone:
    case Finding::changed:
      return true;
    case Finding::node_gone:
      kept.ready_since = std::nullopt;
      return !starting(turn);  // A start of all machines brings them one by one.
    case Finding::missing:
    case Finding::substitute:
      return worth_a_try(view, kept, turn.look.finding);
    case Finding::part_lost:
    case Finding::part_failed:
      break;
  }
  kept.ready_since = std::nullopt;
  if (turn.look.unclear) return false;
  if (kept.counted != turn.place->epoch) {
    kept.counted = turn.place->epoch;
    ++kept.failures;
    for (const std::string& node : turn.look.nodes)
      if (++kept.blame[node].failures >= 2) kept.blame[node].until = view.now + kLeaveOut;
    // What was lost once is loaded again at once.
    const bool lost = turn.look.finding == Finding::part_lost;
    kept.retry_at = view.now + backoff(kept.failures - (lost ? 1 : 0));
  }
  return view.now >= kept.retry_at;
}

// Whether a plan could come out otherwise than the last time.
bool Keeper::worth_a_try(const KeeperView& view, const Kept& kept, Finding finding) const {
  if (kept.held_back && view.now - start_ >= kStartWait) return true;
  if (finding == Finding::missing) {
    if (kept.tried_inputs == 0 || kept.tried_nodes != nodes_) return true;
    return kept.tried_inputs != inputs_ && view.now - kept.tried_at >= kRefusedRetry;
  }
  const bool tried_before = kept.tried_inputs != 0;
  if (tried_before && (kept.tried_inputs == inputs_ || view.now - kept.tried_at < kSettle))
    return false;
  if (woke_at_ && view.now - *woke_at_ < kSettle) return false;
  return std::ranges::all_of(came_,
                             [&](const auto& node) { return view.now - node.second >= kSettle; });
}

bool Keeper::recover(const KeeperView& view, Kept& kept, const Placement& placement) {
  const auto states = view.map.parts(placement);
  const bool ready = std::ranges::all_of(placement.parts, [&](const PlacedPart& part) {
    const auto found = states.find(part.node);
    return found != states.end() && found->second.phase == PartPhase::ready;
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

bool Keeper::starting(const Turn& turn) const {
  if (!at_start_.contains(turn.instance) || turn.view.now - start_ >= kStartWait) return false;
  if (turn.place == nullptr || !turn.place->placement) return true;
  // One that was here and went will not appear by waiting.
  return std::ranges::any_of(turn.place->placement->parts, [&](const PlacedPart& part) {
    return !turn.view.alive.contains(part.node) && !seen_.contains(part.node);
  });
}

bool Keeper::may_run(const Turn& turn, const Placement& placement) const {
  const auto states = turn.view.map.parts(placement);
  for (const PlacedPart& part : placement.parts) {
    if (!turn.view.alive.contains(part.node)) return false;
    const auto state = states.find(part.node);
    if (state != states.end() && state->second.phase == PartPhase::failed) return false;
  }
  return satisfies(placement, turn.desired, turn.model, turn.view.map);
}

}  // namespace drystone
