#include "sim_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace drystone::sim {
namespace {

Time drawn(Rng& rng, Time from, Time to) { return from + Time(rng.below((to - from).count())); }

}  // namespace

SimParts::SimParts(Rooms rooms) : rooms_(std::move(rooms)), ledger_(rooms_.self, rooms_.memory) {}

SimParts::~SimParts() {
  for (const auto& [instance, part] : current_) ending_.push_back(part);
  for (const PartPointer& part : ending_)
    if (part->engine != nullptr) part->engine->lose(Error(Errc::unavailable, "the process ended"));
}

void SimParts::load(const Placement& placement, Time now) {
  const auto index = placement.index_of(rooms_.self);
  CHECK(index, placement.instance, rooms_.self);
  auto& slot = current_[placement.instance];
  const bool reuse = slot != nullptr && slot->own_loaded &&
                     same_in_memory(slot->placement, placement, rooms_.self);
  auto part = std::make_shared<Part>(Part{.placement = placement, .index = *index, .reuse = reuse});
  part->since = now;
  if (slot != nullptr) {
    stop(*slot, now);
    ending_.push_back(slot);
  }
  slot = std::move(part);
}

void SimParts::drop(const std::string& instance, const Epoch& epoch, Time now) {
  const auto at = current_.find(instance);
  if (at == current_.end() || at->second->placement.epoch > epoch) return;
  stop(*at->second, now);
  ending_.push_back(at->second);
  current_.erase(at);
}

std::vector<std::string> SimParts::partners(const Part& part) const {
  std::vector<std::string> nodes;
  for (const PlacedPart& other : part.placement.parts)
    if (other.node != rooms_.self) nodes.push_back(other.node);
  return nodes;
}

void SimParts::say(const Part& part, const std::string& node, char kind, std::uint64_t number) {
  const Epoch& epoch = part.placement.epoch;
  rooms_.send(node, fmt::format("{} {} {} {} {}", kind, number, epoch.number, epoch.keeper,
                                part.placement.instance));
}

Bytes SimParts::held_bytes() const {
  Bytes sum = 0;
  for (const auto& [instance, part] : current_) sum += part->holds ? part->bytes() : 0;
  for (const PartPointer& part : ending_) sum += part->holds ? part->bytes() : 0;
  return sum;
}

void SimParts::begin(Part& part, Time now) {
  const std::string& instance = part.placement.instance;
  const auto before = [&](const PartPointer& other) {
    return other->placement.instance == instance && other.get() != &part;
  };
  if (std::ranges::any_of(ending_, before)) return;
  const auto reserved = ledger_.reserve(instance, part.placement.epoch, part.bytes());
  if (!reserved) return give_up(part, reserved.error().message(), now);
  part.holds = true;
  rooms_.invariants.holds(rooms_.machine, held_bytes(), ledger_.capacity());
  part.phase = Phase::connecting;
  part.since = now;
}

void SimParts::advance(Part& part, Time now) {
  const std::string& instance = part.placement.instance;
  const auto others = partners(part);
  if (part.phase == Phase::waiting) begin(part, now);
  if (part.phase == Phase::waiting || part.phase == Phase::ending) return;
  if (now - part.beat_at >= kBeatEvery) {
    part.beat_at = now;
    for (const std::string& node : others) say(part, node, 'b', part.own_loaded ? 1 : 0);
  }
  const bool linked = part.heard.size() == others.size();
  if (part.phase == Phase::connecting) {
    if (!linked && now - part.since > kConnectWithin)
      return give_up(part, "the other parts do not answer", now);
    if (!linked) return;
    part.phase = Phase::loading;
    part.since = now;
    part.until =
        now + drawn(rooms_.rng, milliseconds(100), part.reuse ? milliseconds(400) : seconds(5));
  }
  for (const auto& [node, at] : part.heard)
    if (now - at > kSilenceMax) return lose(part, fmt::format("{} says nothing", node), now);
  if (part.phase == Phase::loading) {
    if (!part.own_loaded && now < part.until) {
      const double done = static_cast<double>((now - part.since).count()) /
                          static_cast<double>((part.until - part.since).count());
      return rooms_.progress(instance, part.placement.epoch, done);
    }
    if (!part.own_loaded && fail_loads_ > 0) {
      --fail_loads_;
      return give_up(part, "the disk is full", now);
    }
    part.own_loaded = true;
    if (part.is_head() &&
        !std::ranges::all_of(part.ready, [](const auto& one) { return one.second; }))
      return;
    part.phase = Phase::ready;
    if (part.is_head()) part.engine = std::make_shared<SimEngine>(rooms_.rng.next());
    rooms_.loaded(instance, part.placement.epoch);
    for (const std::string& node : others) say(part, node, 'b', 1);
  }
  next_step(part);
}

void SimParts::next_step(Part& part) {
  if (part.engine == nullptr || !part.engine->busy() || part.step) return;
  if (part.placement.parts.size() == 1) return part.engine->step();
  part.step = ++steps_;
  say(part, part.placement.parts[1].node, 's', *part.step);
}

void SimParts::receive(const std::string& from, const std::string& text, Time now) {
  const std::string rest = text.substr(2);
  std::vector<std::string> fields;
  for (std::size_t at = 0, end = 0; end != std::string::npos; at = end + 1) {
    end = fields.size() == 3 ? std::string::npos : rest.find(' ', at);
    fields.push_back(rest.substr(at, end - at));
  }
  const std::uint64_t number = std::stoull(fields[0]);
  const auto at = current_.find(fields[3]);
  if (at == current_.end()) return;
  const PartPointer part = at->second;
  const Epoch epoch{std::stoull(fields[1]), fields[2]};
  if (part->placement.epoch != epoch || part->phase == Phase::waiting ||
      part->phase == Phase::ending)
    return;
  if (text[0] == 'x') {
    if (part->heard.contains(from)) lose(*part, from + " ended", now);
    return;
  }
  if (std::ranges::count(partners(*part), from) != 0) part->heard[from] = now;
  if (text[0] == 'b') {
    part->ready[from] = number != 0;
  } else if (part->phase == Phase::ready && part->is_head()) {
    if (part->step != number) return;
    part->step.reset();
    part->engine->step();
  } else if (part->phase == Phase::ready) {
    const auto& parts = part->placement.parts;
    say(*part, parts[(part->index + 1) % parts.size()].node, 's', number);
  }
}

void SimParts::broken(const std::string& node, Time now) {
  for (const auto& [instance, part] : std::map(current_))
    if (part->heard.contains(node) && part->phase != Phase::ending)
      lose(*part, "the connection to " + node + " broke", now);
}

void SimParts::give_up(Part& part, const std::string& why, Time now) {
  stop(part, now);
  part.failure = why;
}

void SimParts::lose(Part& part, const std::string& why, Time now) {
  if (part.phase == Phase::ending) return;
  rooms_.lost(part.placement.instance, part.placement.epoch, why);
  if (part.engine != nullptr) part.engine->lose(Error(Errc::unavailable, why));
  stop(part, now);
}

void SimParts::stop(Part& part, Time now) {
  part.stopped = true;
  if (part.phase == Phase::ending) {
    part.failure.reset();  // who asked it to end does not want to hear
    return;
  }
  for (const auto& [node, at] : part.heard) say(part, node, 'x', 0);
  part.phase = Phase::ending;
  part.until = now + drawn(rooms_.rng, milliseconds(0), milliseconds(300));
  if (part.engine != nullptr) part.engine->cancel_all();
}

// Who holds the head for a job has the job ended, also one that still came.
bool SimParts::over(const Part& part, Time now) const {
  if (part.phase != Phase::ending || now < part.until) return false;
  if (part.engine == nullptr) return true;
  part.engine->cancel_all();
  part.engine->step();
  return part.engine.use_count() == 1;
}

void SimParts::tick(Time now) {
  const auto end = [&](const PartPointer& part) {
    if (!over(*part, now)) return false;
    if (std::exchange(part->holds, false))
      ledger_.release(part->placement.instance, part->placement.epoch);
    part->engine.reset();
    if (const auto why = std::exchange(part->failure, std::nullopt))
      rooms_.failed(part->placement.instance, part->placement.epoch, *why);
    return true;
  };
  ending_.remove_if(end);
  for (const auto& [instance, part] : std::map(current_)) {
    if (part->phase == Phase::ending)
      static_cast<void>(end(part));
    else
      advance(*part, now);
  }
  rooms_.invariants.holds(rooms_.machine, held_bytes(), rooms_.memory);
}

std::shared_ptr<SimEngine> SimParts::head(const std::string& instance, std::uint64_t epoch) const {
  const auto at = current_.find(instance);
  if (at == current_.end() || at->second->placement.epoch.number != epoch) return nullptr;
  return at->second->phase == Phase::ready ? at->second->engine : nullptr;
}

std::map<std::string, Placement> SimParts::held(bool ready) const {
  std::map<std::string, Placement> held;
  for (const auto& [instance, part] : current_)
    if (!ready || part->phase == Phase::ready) held[instance] = part->placement;
  return held;
}

bool SimParts::ending() const { return !ending_.empty(); }

void SimParts::break_one(Time now) {
  for (const auto& [instance, part] : std::map(current_))
    if (part->phase == Phase::ready) return lose(*part, "broken\nby a test", now);
}

}  // namespace drystone::sim
