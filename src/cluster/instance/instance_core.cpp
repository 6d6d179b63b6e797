#include "cluster/instance/instance_core.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace drystone {
namespace {

// Of the parts of the placement, as they stand in the map.
InstancePhase phase_of(const Placement& placement, const std::map<std::string, PartState>& parts,
                       const InstanceMap& map, double& progress, std::string& message) {
  progress = 0;
  bool ready = true, failed = false;
  for (const PlacedPart& part : placement.parts) {
    const auto found = parts.find(part.node);
    if (found == parts.end()) {
      ready = false;
      continue;
    }
    const PartState& state = found->second;
    if (state.phase == PartPhase::failed || state.phase == PartPhase::lost) {
      // One that was there is loaded again at once: those around it are lost with it.
      if (!failed) message = fmt::format("{}: {}", map.shown_name(part.node), state.error);
      failed |= state.phase == PartPhase::failed;
      ready = false;
      continue;
    }
    progress += state.phase == PartPhase::ready ? 1 : state.progress;
    ready = ready && state.phase == PartPhase::ready;
  }
  progress /= static_cast<double>(placement.parts.size());
  if (failed) return InstancePhase::failed;
  return ready ? InstancePhase::ready : InstancePhase::loading;
}

}  // namespace

std::string_view to_string(InstancePhase phase) {
  switch (phase) {
    case InstancePhase::waiting:
      return "waiting";
    case InstancePhase::loading:
      return "loading";
    case InstancePhase::ready:
      return "ready";
    case InstancePhase::failed:
      return "failed";
    case InstancePhase::refused:
      return "refused";
  }
  CHECK(false, static_cast<int>(phase));
}

InstanceCore::InstanceCore(Options options, const MapView& map)
    : self_(options.self),
      map_(map),
      alive_{options.self},
      now_(options.now),
      holder_(options.self, options.boot),
      keeper_(options.self, options.now, options.plans) {}

void InstanceCore::node_alive(const std::string& node) {
  if (!alive_.insert(node).second) return;
  keeper_.node_came(node, now_);
  dirty_ = true;
}

void InstanceCore::process_heard(const std::string& node, std::uint64_t number) {
  if (node == self_)
    holder_.raise_boot(number);
  else
    processes_[node] = number;
  dirty_ = true;
}

// Until its node has settled, a part of its life before stands in the map.
bool InstanceCore::is_of_ended_process(const std::string& node, const PartState& state) const {
  if (node == self_) return state.boot != holder_.boot();
  const auto process = processes_.find(node);
  return process != processes_.end() && state.boot < process->second;
}

void InstanceCore::node_dead(const std::string& node) {
  if (node == self_ || alive_.erase(node) == 0) return;
  keeper_.node_went(node);
  dirty_ = true;
}

void InstanceCore::node_removed(AbsentNode node) {
  if (node.id == self_) return;
  node_dead(node.id);
  processes_.erase(node.id);
  // What it was called last.
  if (const NodeFigures* figures = map_.node(node.id)) node.name = figures->shown_name();
  removed_.insert_or_assign(node.id, std::move(node));
  dirty_ = true;
}

void InstanceCore::key_changed(std::string_view key) {
  map_.changed(key);
  keeper_.key_changed(key);
  dirty_ = true;
}

void InstanceCore::part_progress(const std::string& instance, const Epoch& epoch, double done) {
  holder_.progress(instance, epoch, done);
  dirty_ = true;
}

void InstanceCore::part_loaded(const std::string& instance, const Epoch& epoch) {
  holder_.loaded(instance, epoch);
  dirty_ = true;
}

void InstanceCore::part_failed(const std::string& instance, const Epoch& epoch,
                               const std::string& error) {
  holder_.failed(instance, epoch, error);
  dirty_ = true;
}

void InstanceCore::part_lost(const std::string& instance, const Epoch& epoch,
                             const std::string& error) {
  holder_.lost(instance, epoch, error);
  dirty_ = true;
}

void InstanceCore::tick(Time now) {
  CHECK(now >= now_, now.count(), now_.count());
  if (std::exchange(ticked_, true) && now - now_ >= Keeper::kOwnPause) keeper_.woke(now);
  now_ = now;
  dirty_ = true;
}

std::vector<InstanceAction> InstanceCore::take_actions() {
  std::vector<InstanceAction> actions;
  if (!dirty_) return actions;
  // First what this node holds: its states are what a keeper goes by.
  holder_.act(map_, now_, actions);
  if (is_keeper())
    keeper_.act({map_, alive_, now_, removed_}, actions);
  else
    keeper_.rest();
  dirty_ = !actions.empty();
  return actions;
}

std::vector<InstanceStatus> InstanceCore::statuses() const {
  std::vector<InstanceStatus> statuses;
  const auto wanted = map_.wanted();
  for (const auto& [instance, desired] : wanted) statuses.push_back(status(instance, &desired));
  for (const std::string& instance : holder_.held())
    if (!wanted.contains(instance)) statuses.push_back(status(instance, nullptr));
  return statuses;
}

std::string InstanceCore::substitute_text(const Placement& placement) const {
  if (placement.degraded.empty()) return "";
  std::string nodes;
  for (const PlacedPart& part : placement.parts)
    nodes += (nodes.empty() ? "" : ", ") + map_.shown_name(part.node);
  return fmt::format("runs on {} instead, because {}", nodes, degraded_now(placement));
}

// A node that was dead when it was replaced may have been removed since: it never comes back.
std::string InstanceCore::degraded_now(const Placement& placement) const {
  const std::string& degraded = placement.degraded;
  for (const auto& [id, node] : removed_) {
    const std::string dead = fmt::format("{} {}:", node.name, kDead);
    const auto has_its_name = [&](const std::string& other) {
      return !removed_.contains(other) && map_.node(other)->is_called(node.name);
    };
    if (degraded.starts_with(dead) && std::ranges::none_of(map_.nodes(), has_its_name))
      return fmt::format("{} {}:{}", node.name, node.why, degraded.substr(dead.size()));
  }
  return degraded;
}

InstanceStatus InstanceCore::status(const std::string& instance,
                                    const DesiredInstance* desired) const {
  InstanceStatus status{.instance = instance,
                        .model = desired != nullptr ? desired->model : model_of_instance(instance)};
  if (desired == nullptr) {
    status.message = "is being unloaded";
    return status;
  }
  const LoadRecord record = map_.load_record(instance);
  status.answered = record.asked == desired->asked;
  if (status.answered && record.gave_up()) {
    status.phase = InstancePhase::failed;
    status.gave_up = true;
    status.message = fmt::format("{} (tried {} times; `drystone load {}` tries again)",
                                 record.error, record.failures, desired->model);
    return status;
  }
  const auto place = map_.place(instance);
  if (!place) {
    status.message = map_.model(desired->model)
                         ? "is being planned"
                         : fmt::format("no node has the file of {}", desired->model);
    return status;
  }
  if (!place->placement) {
    status.phase = InstancePhase::refused;
    status.message = place->refused;
    return status;
  }
  status.placement = place->placement;
  status.parts = map_.parts(*place->placement);
  for (auto& [node, state] : status.parts)
    if (is_of_ended_process(node, state) &&
        (state.phase == PartPhase::ready || state.phase == PartPhase::loading)) {
      state.phase = PartPhase::lost;
      state.error = "the process started afresh";
    }
  status.message = substitute_text(*place->placement);
  status.phase = phase_of(*place->placement, status.parts, map_, status.progress, status.message);
  for (const PlacedPart& part : place->placement->parts)
    if (!alive_.contains(part.node)) {
      status.phase = InstancePhase::loading;
      status.message = fmt::format("{} is gone: it is placed anew", map_.shown_name(part.node));
      status.parts[part.node] = {
          .epoch = place->placement->epoch, .phase = PartPhase::lost, .error = "the node is gone"};
    }
  return status;
}

}  // namespace drystone
