#include "cluster/instance/sim/sim_cluster.h"

#include <fmt/format.h>

#include <algorithm>

namespace drystone {
namespace {

namespace json = boost::json;

constexpr std::chrono::milliseconds kStep(500), kDeadAfter(2500);
constexpr int kActionRoundsMax = 20;
constexpr std::chrono::seconds kSlowPlan(1);

}  // namespace

const json::value* SimMap::get(std::string_view key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() || found->second.value.is_null() ? nullptr : &found->second.value;
}

std::vector<std::string> SimMap::keys(std::string_view prefix) const {
  std::vector<std::string> keys;
  for (auto i = entries_.lower_bound(prefix); i != entries_.end() && i->first.starts_with(prefix);
       ++i)
    if (!i->second.value.is_null()) keys.push_back(i->first);
  return keys;
}

void SimMap::put(const std::string& key, json::value value, const std::string& writer) {
  // Through text, as over the wire.
  entries_[key] = {json::parse(json::serialize(value)), ++lamport_, writer};
}

std::vector<std::string> SimMap::merge(const SimMap& other) {
  std::vector<std::string> changed;
  lamport_ = std::max(lamport_, other.lamport_);
  for (const auto& [key, entry] : other.entries_) {
    const auto own = entries_.find(key);
    if (own != entries_.end() && std::pair(own->second.lamport, own->second.writer) >=
                                     std::pair(entry.lamport, entry.writer))
      continue;
    entries_[key] = entry;
    changed.push_back(key);
  }
  return changed;
}

bool SimMap::operator==(const SimMap& other) const {
  return std::ranges::equal(entries_, other.entries_, [](const auto& a, const auto& b) {
    return a.first == b.first && a.second.lamport == b.second.lamport &&
           a.second.writer == b.second.writer;
  });
}

std::optional<PlaceValue> SimCluster::SlowPlans::made(std::uint64_t number,
                                                      const std::function<PlanJob()>& job) {
  if (std::exchange(current, number) != number) {
    running = job();
    begun = now;
  }
  CHECK(running != nullptr, number);
  if (now - begun < kSlowPlan) return std::nullopt;
  return std::exchange(running, nullptr)();
}

void SimCluster::add_node(const std::string& name, Bytes memory) {
  nodes_[name].memory = memory;
  start(name);
}

void SimCluster::add_model(const ModelFigures& model) {
  models_[model.name] = model;
  for (auto& [name, node] : nodes_)
    if (node.core) {
      put(name, node, "model/" + model.name, to_json(model));
      return;
    }
}

void SimCluster::want(DesiredInstance desired) {
  desired.asked = ++asked_;
  for (auto& [name, node] : nodes_)
    if (node.core) return put(name, node, want_key(desired.model), to_json(desired));
}

void SimCluster::unwant(const std::string& model) {
  for (auto& [name, node] : nodes_)
    if (node.core) return put(name, node, want_key(model), json::value(nullptr));
}

void SimCluster::kill(const std::string& name) {
  Node& node = nodes_.at(name);
  note(fmt::format("{} is killed", name));
  node.core.reset();
  node.held.clear();
  node.heard.clear();
  node.alive.clear();
  node.loaded.clear();
}

void SimCluster::start(const std::string& name) {
  Node& node = nodes_.at(name);
  if (node.core) return;
  note(fmt::format("{} starts", name));
  node.ledger = std::make_unique<Ledger>(name, node.memory);
  node.plans = slow_plans_ ? std::make_unique<SlowPlans>(now_) : nullptr;
  node.core =
      std::make_unique<InstanceCore>(InstanceCore::Options{.self = name,
                                                           .boot = ++node.boots * 1000 + name[0],
                                                           .now = now_,
                                                           .plans = node.plans.get()},
                                     node.map);
  for (auto& [other, another] : nodes_)
    if (another.core && another.alive.contains(name))
      another.core->process_heard(name, node.boots * 1000 + name[0]);
  tell_figures(name, node);
  for (const auto& [model, figures] : models_)
    if (node.map.get("model/" + model) == nullptr)
      put(name, node, "model/" + model, to_json(figures));
}

void SimCluster::freeze(const std::string& name) {
  note(fmt::format("{} is frozen", name));
  frozen_.insert(name);
}

void SimCluster::thaw(const std::string& name) {
  note(fmt::format("{} is thawed", name));
  frozen_.erase(name);
  thawing_.insert(name);
  // Its own silence is nobody else's.
  for (auto& [other, heard] : nodes_.at(name).heard) heard = now_;
}

void SimCluster::remove(const std::string& name) {
  if (is_up(name)) kill(name);
  note(name + " is removed");
  for (auto& [other, node] : nodes_) {
    if (!node.core) continue;
    node.alive.erase(name);
    node.heard.erase(name);
    node.core->node_removed({.id = name, .name = name, .why = kRemoved});
  }
}

void SimCluster::cut(const std::string& a, const std::string& b, bool one_way) {
  note(fmt::format("cut {} {} {}", a, one_way ? "->" : "|", b));
  cut_.insert({a, b});
  if (!one_way) cut_.insert({b, a});
}

void SimCluster::heal() {
  note("heal");
  cut_.clear();
}

void SimCluster::fail_loads(const std::string& name, int times) {
  nodes_.at(name).fail_loads = times;
}

void SimCluster::break_part(const std::string& name, const std::string& instance) {
  Node& node = nodes_.at(name);
  const auto held = node.held.find(instance);
  if (!node.core || held == node.held.end() || !held->second.ready) return;
  note(fmt::format("{} breaks on {}", instance, name));
  held->second.ready = false;
  held->second.failed = true;
  node.core->part_failed(instance, held->second.placement.epoch, "broken\nby a test");
}

bool SimCluster::reaches(const std::string& from, const std::string& to) const {
  const auto runs = [&](const std::string& name) {
    return nodes_.at(name).core && !frozen_.contains(name) && !thawing_.contains(name);
  };
  return runs(from) && runs(to) && !cut_.contains({from, to});
}

void SimCluster::run(double seconds) {
  const auto end = now_ + std::chrono::duration_cast<std::chrono::nanoseconds>(
                              std::chrono::duration<double>(seconds));
  while (now_ < end) step();
}

bool SimCluster::run_until_ready(const std::string& instance, double limit_s) {
  for (const double end = now_s() + limit_s; now_s() < end;) {
    const bool ready = std::ranges::all_of(nodes_, [&](const auto& each) {
      return !each.second.core || status(each.first, instance).phase == InstancePhase::ready;
    });
    if (ready) return true;
    step();
  }
  return false;
}

std::string SimCluster::trace() { return std::exchange(trace_, ""); }

InstanceStatus SimCluster::status(const std::string& name, const std::string& instance) const {
  for (const InstanceStatus& status : core(name).statuses())
    if (status.instance == instance) return status;
  return {};
}

std::vector<std::string> SimCluster::names() const {
  std::vector<std::string> names;
  for (const auto& [name, node] : nodes_) names.push_back(name);
  return names;
}

void SimCluster::note(std::string line) { trace_ += fmt::format("{:.1f} {}\n", now_s(), line); }

void SimCluster::put(const std::string& name, Node& node, const std::string& key,
                     json::value value) {
  node.map.put(key, std::move(value), name);
  node.core->key_changed(key);
}

// As the system shows it to one of the neighbours: what others have reserved and not loaded yet is
// free.
Bytes SimCluster::free_of_shared(const std::string& name) const {
  Bytes taken = nodes_.at(name).ledger->reserved();
  for (const std::string& other : neighbours_) {
    const Node& node = nodes_.at(other);
    if (other == name || !node.core) continue;
    for (const auto& [instance, held] : node.held)
      if (const PlacedPart* part = held.placement.part_of(other); part != nullptr && held.whole)
        taken += part->bytes.total();
  }
  return shared_memory_ - std::min(shared_memory_, taken);
}

void SimCluster::tell_figures(const std::string& name, Node& node) {
  const auto measured = rates_.find(name);
  const double rate = measured == rates_.end() ? 1e12 : measured->second;
  NodeFigures figures{.id = name,
                      .name = name,
                      .reserved_bytes = node.ledger->reserved(),
                      .limit_bytes = node.memory,
                      .read_bandwidth = rate / 100,
                      .rates = {{"q4_0", {rate, rate}}, {kAttentionRate, {rate, rate}}},
                      .step_fixed_s = 0};
  if (neighbours_.contains(name)) {
    figures.memory_id = "machine";
    figures.total_bytes = shared_memory_;
    figures.free_bytes = free_of_shared(name);
  }
  const json::value value = json::parse(json::serialize(to_json(figures)));
  const json::value* told = node.map.get("figures/" + name);
  if (told == nullptr || *told != value) put(name, node, "figures/" + name, value);
  // A network on which splitting does not pay for itself.
  for (const auto& [other, state] : nodes_) {
    if (other == name) continue;
    const std::string key = fmt::format("link/{}/{}", name, other);
    const json::value link = json::parse(json::serialize(to_json(
        LinkFigures{.from = name, .to = other, .round_trip_s = round_trip_s_, .bandwidth = 1e8})));
    const json::value* known = node.map.get(key);
    if (known == nullptr || *known != link) put(name, node, key, link);
  }
}

void SimCluster::step() {
  now_ += kStep;
  gossip();
  for (auto& [name, node] : nodes_) {
    if (!node.core || frozen_.contains(name)) continue;
    detect(name, node);
    load(name, node);
    check_pipes(name, node);
    node.core->tick(now_);
    act(name, node);
    tell_figures(name, node);
    CHECK(node.ledger->reserved() <= node.memory, name, node.ledger->reserved(), node.memory);
  }
  thawing_.clear();
  Bytes together = 0;
  for (const std::string& name : neighbours_)
    if (const Node& node = nodes_.at(name); node.core) together += node.ledger->reserved();
  CHECK(together <= shared_memory_, together, shared_memory_);
}

void SimCluster::gossip() {
  for (auto& [from, sender] : nodes_)
    for (auto& [to, receiver] : nodes_) {
      if (from == to || !reaches(from, to) || rng_.uniform_double() < loss_) continue;
      receiver.heard[from] = now_;
      for (const std::string& key : receiver.map.merge(sender.map)) receiver.core->key_changed(key);
    }
}

void SimCluster::detect(const std::string& name, Node& node) {
  for (const auto& [other, state] : nodes_) {
    if (other == name) continue;
    const auto heard = node.heard.find(other);
    const bool alive = heard != node.heard.end() && now_ - heard->second < kDeadAfter;
    if (alive && node.alive.insert(other).second) {
      node.core->process_heard(other, state.boots * 1000 + other[0]);
      node.core->node_alive(other);
    }
    if (!alive && node.alive.erase(other) > 0) node.core->node_dead(other);
  }
}

void SimCluster::load(const std::string& name, Node& node) {
  for (auto& [instance, held] : node.held) {
    if (held.told_in > 0 && --held.told_in == 0)
      node.core->part_failed(instance, held.placement.epoch, "the disk is full");
    if (held.ready || held.failed) continue;
    const Epoch& epoch = held.placement.epoch;
    if (--held.steps_left > 0) {
      node.core->part_progress(instance, epoch, 1 - 0.1 * held.steps_left);
      continue;
    }
    if (node.fail_loads > 0) {
      --node.fail_loads;
      fail_load(name, node, instance, held);
      continue;
    }
    held.ready = held.whole = true;
    node.core->part_loaded(instance, epoch);
  }
}

// The others notice that its links have ended; why is known when all is free again.
void SimCluster::fail_load(const std::string& name, Node& node, const std::string& instance,
                           Held& held) {
  held.failed = true;
  node.ledger->release(instance, held.placement.epoch);
  if (held.placement.parts.size() == 1)
    return node.core->part_failed(instance, held.placement.epoch, "the disk is full");
  held.told_in = 2;
  for (const PlacedPart& part : held.placement.parts) {
    Node& other = nodes_.at(part.node);
    const auto theirs = other.held.find(instance);
    if (part.node == name || other.core == nullptr || theirs == other.held.end() ||
        theirs->second.failed || theirs->second.placement.epoch != held.placement.epoch)
      continue;
    theirs->second.failed = true;
    theirs->second.ready = false;
    other.core->part_lost(instance, held.placement.epoch, "the link to " + name + " has ended");
  }
}

// The head notices when a part that it worked with is not there any more.
void SimCluster::check_pipes(const std::string& name, Node& node) {
  for (auto& [instance, held] : node.held) {
    if (!held.ready || held.placement.head != name) continue;
    const bool together = std::ranges::all_of(held.placement.parts, [&](const PlacedPart& part) {
      if (part.node == name) return true;
      if (!reaches(name, part.node) || !reaches(part.node, name)) return false;
      const auto& others = nodes_.at(part.node).held;
      const auto other = others.find(instance);
      return other != others.end() && other->second.ready &&
             other->second.placement.epoch == held.placement.epoch;
    });
    if (together) held.joined = true;
    if (together || !held.joined) continue;
    held.ready = false;
    held.failed = true;
    node.core->part_lost(instance, held.placement.epoch, "the pipe broke");
  }
}

void SimCluster::act(const std::string& name, Node& node) {
  for (int round = 0;; ++round) {
    CHECK(round < kActionRoundsMax, name);
    const std::vector<InstanceAction> actions = node.core->take_actions();
    if (actions.empty()) return;
    for (const InstanceAction& action : actions) {
      if (const auto* publish = std::get_if<Publish>(&action)) {
        if (publish->key.starts_with(kPlacePrefix)) {
          const auto value = place_value_from_json(publish->value);
          if (!value) {
            note(fmt::format("{} deletes {}", name, publish->key));
          } else if (!value->placement) {
            note(fmt::format("{} epoch {} refused", publish->key.substr(6), value->epoch.number));
          } else {
            std::string parts;
            for (const PlacedPart& part : value->placement->parts)
              parts += fmt::format(" {} {}..{}", part.node, part.layers.begin, part.layers.end);
            note(fmt::format("{} epoch {} by {}:{}{}", publish->key.substr(6), value->epoch.number,
                             value->epoch.keeper, parts,
                             value->placement->degraded.empty() ? "" : " (substitute)"));
          }
        }
        put(name, node, publish->key, publish->value);
      } else if (const auto* begin = std::get_if<LoadPart>(&action)) {
        begin_part(name, node, *begin);
      } else {
        end_part(name, node, std::get<DropPart>(action));
      }
    }
  }
}

void SimCluster::begin_part(const std::string& name, Node& node, const LoadPart& action) {
  const Placement& placement = action.placement;
  const std::string& instance = placement.instance;
  CHECK(validate(placement).has_value());
  const PlacedPart* part = placement.part_of(name);
  CHECK(part != nullptr, name, instance);
  const auto held = node.held.find(instance);
  CHECK(held == node.held.end() || held->second.placement.epoch < placement.epoch, name, instance);
  const bool keeps = held != node.held.end() && held->second.whole &&
                     same_in_memory(held->second.placement, placement, name);
  const auto reserved = node.ledger->reserve(instance, placement.epoch, part->bytes.total());
  note(fmt::format("{} {} {} epoch {}{}", name, keeps ? "keeps" : "loads", instance,
                   placement.epoch.number, reserved ? "" : ": no memory"));
  if (!reserved) {
    // What was held of the epoch before ends all the same.
    if (held != node.held.end()) node.ledger->release(instance, placement.epoch);
    node.held[instance] = {.placement = placement, .failed = true};
    node.core->part_failed(instance, placement.epoch, reserved.error().message());
    return;
  }
  const int steps = keeps ? 1 : 2 + static_cast<int>(rng_.below(5));
  node.held[instance] = {.placement = placement, .steps_left = steps};
}

void SimCluster::end_part(const std::string& name, Node& node, const DropPart& action) {
  const auto held = node.held.find(action.instance);
  CHECK(held != node.held.end() && held->second.placement.epoch == action.epoch, name,
        action.instance, action.epoch.number);
  note(fmt::format("{} drops {} epoch {}", name, action.instance, action.epoch.number));
  node.ledger->release(action.instance, action.epoch);
  node.held.erase(held);
}

std::string SimCluster::disagreement() const {
  const Node* first = nullptr;
  for (const auto& [name, node] : nodes_) {
    if (!node.core) continue;
    if (first == nullptr) first = &node;
    if (!(node.map == first->map)) return fmt::format("{} has another map", name);
    const InstanceMap map(node.map);
    const auto wanted = map.wanted();
    const auto places = map.places();
    for (const auto& [instance, held] : node.held) {
      const auto place = places.find(instance);
      if (place == places.end() || !wanted.contains(instance))
        return fmt::format("{} holds {}, which nobody wants", name, instance);
      if (place->second.epoch != held.placement.epoch)
        return fmt::format("{} holds epoch {} of {}, which has {}", name,
                           held.placement.epoch.number, instance, place->second.epoch.number);
    }
    for (const auto& [instance, desired] : wanted) {
      const auto place = places.find(instance);
      if (place == places.end()) return fmt::format("{} has no placement", instance);
      if (!place->second.placement) continue;
      const bool takes_part = place->second.placement->part_of(name) != nullptr;
      const auto held = node.held.find(instance);
      if (takes_part && (held == node.held.end() || !held->second.ready))
        return fmt::format("{} should hold {} epoch {}", name, instance,
                           place->second.epoch.number);
      if (!takes_part && held != node.held.end())
        return fmt::format("{} should not hold {}", name, instance);
    }
  }
  return "";
}

}  // namespace drystone
