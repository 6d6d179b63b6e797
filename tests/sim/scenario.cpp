#include "scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/check.h"
#include "faults.h"
#include "invariants.h"
#include "machine.h"
#include "network.h"

namespace drystone::sim {
namespace {

using cluster::ClusterCore;
using cluster::ClusterEvent;
using cluster::InvitationSecret;
using cluster::NodeId;

enum class Kind { anything, slowness, one_way_cuts };

class Scenario {
 public:
  Scenario(std::uint64_t seed, bool verbose);
  Outcome run();

 private:
  void say(std::string sentence);
  std::optional<std::size_t> random_running();
  bool can_talk(std::size_t a, std::size_t b) const;
  void add_machine();
  void found();
  void guest_tries(std::size_t guest);
  void start(std::size_t machine);
  void stop(std::size_t machine, bool in_order);
  void act();
  void write(std::size_t by);
  void remove_somebody(std::size_t by);
  void check_regularly();
  void fault_regularly(Time until);
  void act_regularly(Time until);
  void heal_and_check();
  void kill_and_check();

  bool verbose_;
  Network network_;
  Directory directory_;
  std::vector<std::unique_ptr<Machine>> machines_;
  Invariants invariants_;
  Kind kind_ = Kind::anything;
  std::uint64_t identities_ = 0;
  std::optional<InvitationSecret> invitation_;
  bool calm_ = false;  // nobody may be suspected
  bool nobody_dies_ = false;
  bool closed_ = false;  // to guests
  std::map<std::pair<std::size_t, NodeId>, Time> dead_at_;
  Outcome outcome_;
};

Scenario::Scenario(std::uint64_t seed, bool verbose)
    : verbose_(verbose), network_(seed), invariants_(network_, machines_) {
  Rng& rng = network_.rng();
  const std::uint64_t draw = rng.below(20);
  kind_ = draw < 14 ? Kind::anything : draw < 17 ? Kind::slowness : Kind::one_way_cuts;
  std::size_t count = 2 + rng.below(4);
  if (rng.below(20) == 0) count = 6 + rng.below(6);
  for (std::size_t i = 0; i < count; ++i) add_machine();
}

void Scenario::say(std::string sentence) {
  outcome_.log.push_back(fmt::format(
      "t={:.3f}s {}", static_cast<double>(network_.now().count()) * 1e-9, std::move(sentence)));
}

void Scenario::add_machine() {
  Rng& rng = network_.rng();
  const std::size_t number = network_.add_machine();
  Machine::Clocks clocks{.monotonic_offset = seconds(rng.below(100'000)),
                         .wall_skew = milliseconds(rng.below(120'000)) - seconds(60)};
  if (rng.below(20) == 0) clocks.wall_skew = -seconds(1'799'990'000);  // it believes in 1970
  machines_.push_back(std::make_unique<Machine>(number, clocks, directory_));
  machines_.back()->make_identity(++identities_);
  if (verbose_)
    machines_.back()->on_refused = [this, number](const std::string& why) {
      say(fmt::format("  {} refuses: {}", number, why));
    };
  machines_.back()->on_event = [this, number](const ClusterEvent& event) {
    if (event.kind != ClusterEvent::Kind::key_changed)
      say(fmt::format(
          "  {} sees {} {}", number, to_string(event.kind),
          directory_.contains(event.node) ? std::to_string(directory_[event.node]) : event.node));
    if (event.kind == ClusterEvent::Kind::node_dead) {
      dead_at_[{number, event.node}] = network_.now();
      if (nobody_dies_ && network_.is_up(directory_[event.node]))
        invariants_.fail(fmt::format("machine {} takes machine {} for dead, which runs", number,
                                     directory_[event.node]));
    }
    if (event.kind == ClusterEvent::Kind::node_suspect && calm_)
      invariants_.fail(fmt::format("machine {} suspects machine {} in fair weather", number,
                                   directory_[event.node]));
  };
}

std::optional<std::size_t> Scenario::random_running() {
  std::vector<std::size_t> running;
  for (const auto& machine : machines_) {
    const std::size_t i = machine->number();
    const ClusterCore* core = machine->core();
    if (network_.is_up(i) && !network_.is_frozen(i) && core &&
        core->members().is_member(core->self()))
      running.push_back(i);
  }
  if (running.empty()) return std::nullopt;
  return running[network_.rng().below(running.size())];
}

bool Scenario::can_talk(std::size_t a, std::size_t b) const {
  return network_.is_open(a, b) && network_.is_open(b, a) && !network_.is_frozen(a) &&
         !network_.is_frozen(b);
}

void Scenario::found() {
  machines_[0]->found(network_.now(), network_.rng().next());
  network_.start(0, *machines_[0]);
  network_.flush(0);
  for (std::size_t guest = 1; guest < machines_.size(); ++guest) {
    network_.start(guest, *machines_[guest]);
    guest_tries(guest);
  }
}

// A machine without a cluster asks a member that it reaches, again and again.
void Scenario::guest_tries(std::size_t guest) {
  Rng& rng = network_.rng();
  Machine& machine = *machines_[guest];
  if (!network_.is_up(guest) || machine.core() || closed_) return;
  network_.at(network_.now() + milliseconds(50 + rng.below(1000)),
              [this, guest] { guest_tries(guest); });
  const auto host = random_running();
  if (!host || !can_talk(guest, *host)) return;
  ClusterCore& core = *machines_[*host]->core();
  const auto wall = machines_[*host]->wall(network_.now());
  const std::int64_t wall_s = wall.time_since_epoch() / seconds(1);
  if (!invitation_ || rng.below(3) == 0) {
    auto made =
        core.invite({.expires_s = wall_s + 1000, .uses = 1 + std::uint32_t(rng.below(3))}, wall);
    if (!made) return;
    invitation_ = *made;
  }
  const std::string refused =
      machine.join(*machines_[*host], *invitation_, rng.below(8) == 0, network_.now(), rng.next());
  network_.flush(*host);
  if (!refused.empty()) {
    say(fmt::format("{} asks {} in vain: {}", guest, *host, refused));
    if (rng.below(2) == 0) invitation_.reset();
    return;
  }
  say(fmt::format("{} joins by {}", guest, *host));
  network_.flush(guest);
}

void Scenario::start(std::size_t machine) {
  if (network_.is_up(machine)) return;
  say(fmt::format("start {}", machine));
  machines_[machine]->boot(network_.now(), network_.rng().next());
  invariants_.restarted(machine);
  network_.start(machine, *machines_[machine]);
  network_.flush(machine);
  if (!machines_[machine]->core()) guest_tries(machine);
}

void Scenario::stop(std::size_t machine, bool in_order) {
  say(fmt::format("{} {}", in_order ? "stop" : "crash", machine));
  if (in_order && machines_[machine]->core()) {
    machines_[machine]->core()->stop();
    network_.flush(machine);
    machines_[machine]->save();
  }
  network_.crash(machine);
  machines_[machine]->crash();
}

void Scenario::write(std::size_t by) {
  Rng& rng = network_.rng();
  ClusterCore& core = *machines_[by]->core();
  const auto wall = machines_[by]->wall(network_.now());
  const bool own = rng.below(3) == 0;
  const std::string name = "key" + std::to_string(rng.below(4));
  const std::string key = own ? cluster::own_key(core.self(), name) : "want/" + name;
  // A clock that is decades behind makes erasures that look as old, and are forgotten as soon.
  const bool in_1970 = wall.time_since_epoch() < seconds(1'000'000'000);
  if (rng.below(4) == 0 && !in_1970) {
    CHECK(core.erase(key, wall).has_value());
  } else {
    CHECK(core.put(key, std::to_string(rng.below(1'000'000)), wall).has_value());
  }
  if (!own) invariants_.wrote(by, key);
  network_.flush(by);
}

void Scenario::remove_somebody(std::size_t by) {
  Rng& rng = network_.rng();
  ClusterCore& core = *machines_[by]->core();
  const auto& members = core.members().members();
  if (members.size() < 3) return;
  const NodeId id = std::next(members.begin(), static_cast<long>(rng.below(members.size())))->first;
  say(fmt::format("{} removes {}", by, directory_[id]));
  if (!core.remove(id, machines_[by]->wall(network_.now()))) return;
  network_.flush(by);
  // Sometimes it comes back as somebody else, once somebody has noticed.
  const std::size_t machine = directory_[id];
  if (rng.below(2) == 0)
    network_.at(network_.now() + seconds(1 + rng.below(5)), [this, machine, id] {
      if (!machines_[machine]->has_identity() || machines_[machine]->id() != id) return;
      say(fmt::format("{} makes a new key", machine));
      network_.crash(machine);
      machines_[machine]->make_identity(1000 + ++identities_);
      invariants_.restarted(machine);
      invariants_.lost_disk(machine);
      network_.start(machine, *machines_[machine]);
      guest_tries(machine);
    });
}

void Scenario::act() {
  Rng& rng = network_.rng();
  const auto by = random_running();
  if (!by) return;
  const std::uint64_t draw = rng.below(40);
  if (draw < 26 || kind_ != Kind::anything) return write(*by);
  if (draw < 28) return remove_somebody(*by);
  if (draw < 29) {
    say(fmt::format("{} gets a visitor", *by));
    invitation_.reset();
    return;
  }
  // A machine stops for a while, in order or not.
  stop(*by, rng.below(3) == 0);
  network_.at(network_.now() + milliseconds(100 + rng.below(9000)),
              [this, machine = *by] { start(machine); });
}

void Scenario::check_regularly() {
  invariants_.check();
  network_.at(network_.now() + milliseconds(250), [this] { check_regularly(); });
}

void Scenario::fault_regularly(Time until) {
  if (network_.now() >= until) return;
  switch (kind_) {
    case Kind::anything:
      say(random_fault(network_));
      break;
    case Kind::slowness:
      say(random_slowness(network_));
      break;
    case Kind::one_way_cuts:
      say(random_one_way_cuts(network_, /*hub=*/0));
      break;
  }
  network_.at(network_.now() + milliseconds(500 + network_.rng().below(5000)),
              [this, until] { fault_regularly(until); });
}

void Scenario::act_regularly(Time until) {
  if (network_.now() >= until) return;
  act();
  network_.at(network_.now() + milliseconds(50 + network_.rng().below(800)),
              [this, until] { act_regularly(until); });
}

void Scenario::heal_and_check() {
  Rng& rng = network_.rng();
  network_.heal();
  say("the network is healed");
  for (std::size_t i = 0; i < machines_.size(); ++i)
    if (!network_.is_up(i) && rng.below(4) != 0) start(i);
  // Faults and restarts that were under way end within the longest of them; only then time counts.
  network_.run_until(network_.now() + seconds(10));
  network_.heal();
  closed_ = true;
  network_.run_until(network_.now() + kSettledAfter);
  invariants_.check_healed();
  calm_ = true;
  if (const auto by = random_running()) write(*by);
  network_.run_until(network_.now() + seconds(1));
  invariants_.check_healed();
  network_.run_until(network_.now() + seconds(4));
  calm_ = false;
}

// In fair weather, whoever stops is dead everywhere within 3 s.
void Scenario::kill_and_check() {
  const auto victim = random_running();
  if (!victim) return;
  const std::vector<Machine*> side = invariants_.side_of(*victim);
  const NodeId id = machines_[*victim]->id();
  if (network_.rng().below(3) == 0) {
    say(fmt::format("freeze {}", *victim));
    network_.freeze(*victim, true);
  } else {
    stop(*victim, /*in_order=*/false);
  }
  const Time died = network_.now();
  dead_at_.clear();
  network_.run_until(died + seconds(4));
  for (const Machine* machine : side) {
    const std::size_t i = machine->number();
    if (i == *victim) continue;
    const auto found = dead_at_.find({i, id});
    if (found == dead_at_.end() || found->second - died > seconds(3))
      invariants_.fail(
          fmt::format("machine {} did not know within 3 s that {} is dead", i, *victim));
  }
}

Outcome Scenario::run() {
  found();
  check_regularly();
  Time until = network_.now() + seconds(15) + seconds(network_.rng().below(15));
  if (kind_ != Kind::anything) {
    network_.run_until(network_.now() + seconds(8));
    nobody_dies_ = true;
  }
  fault_regularly(until);
  act_regularly(until);
  network_.run_until(until);
  nobody_dies_ = false;
  heal_and_check();
  kill_and_check();
  outcome_.failures = invariants_.failures();
  outcome_.packets = network_.packets_sent();
  return std::move(outcome_);
}

}  // namespace

Outcome run_scenario(std::uint64_t seed, bool verbose) { return Scenario(seed, verbose).run(); }

}  // namespace drystone::sim
