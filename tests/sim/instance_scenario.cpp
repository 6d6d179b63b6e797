#include "instance_scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <memory>

#include "base/check.h"
#include "clients.h"
#include "cluster/instance/instance_map.h"
#include "cluster/plan/sample_cluster.h"
#include "faults.h"
#include "instance_invariants.h"
#include "instance_machine.h"

namespace drystone::sim {
namespace {

constexpr const char* kModels[] = {"llama", "qwen"};

ModelFigures figures_of(const std::string& name) {
  ModelFigures model = sample_model({.name = name,
                                     .layers = 6,
                                     .d_model = 1024,
                                     .ff_width = 2816,
                                     .heads = 16,
                                     .kv_heads = 4,
                                     .head_dim = 64,
                                     .vocab = kVocab});
  model.context = 1024;
  return model;
}

class Scenario {
 public:
  explicit Scenario(std::uint64_t seed);
  ~Scenario();
  Outcome run();

 private:
  void say(std::string sentence);
  void found();
  std::vector<std::size_t> up() const;  // not frozen
  std::size_t any_up();
  void start(std::size_t machine);
  void crash(std::size_t machine);
  void wish();
  void act();
  void act_regularly(Time until);
  void fault_regularly(Time until);
  void ask_regularly(Time until);
  void heal();
  bool wait_for_agreement(const std::string& when);
  void wait_for_ends(std::size_t of, const std::string& when);
  void ask_everybody();
  void lose_one_more();

  Outcome outcome_;
  Network network_;
  InstanceInvariants invariants_;
  World world_;
  InstanceInvariants::Machines machines_;
  Clients clients_;
  std::uint64_t wishes_ = 0;
};

Scenario::Scenario(std::uint64_t seed)
    : network_(seed * 2 + 1),
      world_{.network = network_,
             .invariants = invariants_,
             .directory = {},
             .say = [this](std::string sentence) { say(std::move(sentence)); }},
      clients_(world_, machines_) {
  Rng& rng = network_.rng();
  const std::size_t count = 2 + rng.below(3);
  for (std::size_t i = 0; i < count; ++i) {
    network_.add_machine();
    machines_.push_back(std::make_unique<InstanceMachine>(
        InstanceMachine::Options{
            .number = i, .memory = (30 + 15 * rng.below(8)) * kMiB, .slow_plans = seed % 2 == 1},
        world_));
  }
}

Scenario::~Scenario() {
  clients_.leave();
  for (const auto& machine : machines_) machine->end_life();
}

void Scenario::say(std::string sentence) {
  outcome_.log.push_back(fmt::format(
      "t={:.3f}s {}", static_cast<double>(network_.now().count()) * 1e-9, std::move(sentence)));
}

void Scenario::found() {
  Machine& first = machines_[0]->machine();
  first.found(network_.now(), network_.rng().next());
  for (std::size_t i = 1; i < machines_.size(); ++i) {
    const auto wall = first.wall(network_.now());
    const auto secret = first.core()->invite(
        {.expires_s = wall.time_since_epoch() / seconds(1) + 1000, .uses = 1}, wall);
    CHECK(secret.has_value());
    const std::string refused = machines_[i]->machine().join(
        first, *secret, /*answer_is_lost=*/false, network_.now(), network_.rng().next());
    CHECK(refused.empty(), refused);
  }
  for (const auto& machine : machines_) {
    machine->begin_life();
    network_.start(machine->number(), *machine);
  }
  for (const char* model : kModels)
    machines_[0]->put(std::string(kModelPrefix) + model, to_json(figures_of(model)));
  for (const auto& machine : machines_) network_.flush(machine->number());
  for (const auto& machine : machines_)
    say(fmt::format("machine {}: {}, {}", machine->number(), machine->id(),
                    format_bytes(machine->memory())));
}

std::vector<std::size_t> Scenario::up() const {
  std::vector<std::size_t> up;
  for (const auto& machine : machines_)
    if (machine->is_up() && !network_.is_frozen(machine->number())) up.push_back(machine->number());
  return up;
}

std::size_t Scenario::any_up() {
  const auto all = up();
  return all.empty() ? machines_.size() : all[network_.rng().below(all.size())];
}

void Scenario::start(std::size_t machine) {
  if (network_.is_up(machine)) return;
  say(fmt::format("start {}", machine));
  CHECK(machines_[machine]->machine().boot(network_.now(), network_.rng().next()), machine);
  machines_[machine]->begin_life();
  network_.start(machine, *machines_[machine]);
  network_.flush(machine);
}

void Scenario::crash(std::size_t machine) {
  if (!network_.is_up(machine)) return;
  say(fmt::format("crash {}", machine));
  network_.crash(machine);
  clients_.crashed(machine);
  machines_[machine]->end_life();
}

void Scenario::wish() {
  Rng& rng = network_.rng();
  const std::size_t by = any_up();
  if (by == machines_.size()) return;
  const std::string model = kModels[rng.below(2)];
  if (rng.below(5) == 0) {
    say(fmt::format("{} unloads {}", by, model));
    machines_[by]->put(want_key(model), nullptr);
    return network_.flush(by);
  }
  const auto any = [&] { return machines_[rng.below(machines_.size())]->id(); };
  DesiredInstance desired{.model = model,
                          .context = static_cast<std::uint32_t>(64 << rng.below(4)),
                          .replicas = static_cast<std::uint32_t>(1 + rng.below(5) / 4),
                          .asked = ++wishes_};
  if (rng.below(3) == 0) desired.stages = static_cast<std::uint32_t>(1 + rng.below(3));
  if (rng.below(5) == 0) desired.shards = static_cast<std::uint32_t>(1 + rng.below(3));
  if (rng.below(5) == 0) desired.nodes = {any(), any()};
  say(fmt::format("{} loads {} (stages {}, shards {}, replicas {})", by, model,
                  desired.stages.value_or(0), desired.shards.value_or(0), desired.replicas));
  machines_[by]->put(want_key(model), to_json(desired));
  network_.flush(by);
}

void Scenario::act() {
  Rng& rng = network_.rng();
  const std::size_t machine = rng.below(machines_.size());
  InstanceMachine& chosen = *machines_[machine];
  const bool runs = chosen.is_up() && !network_.is_frozen(machine);
  switch (rng.below(10)) {
    case 0:
    case 1:
      return wish();
    case 2:
      crash(machine);
      return network_.at(network_.now() + milliseconds(200 + rng.below(12'000)),
                         [this, machine] { start(machine); });
    case 3:
      if (chosen.is_up()) chosen.parts().fail_loads(static_cast<int>(rng.below(4)));
      return;
    case 4:
      if (!runs) return;
      say(fmt::format("a part breaks on {}", machine));
      chosen.parts().break_one(network_.now());
      return network_.flush(machine);
    case 5:
      if (!chosen.is_up()) return;
      say(fmt::format("the memory of {} is taken by others", machine));
      chosen.parts().set_capacity(chosen.memory() / (2 + rng.below(6)));
      return network_.at(network_.now() + milliseconds(500 + rng.below(6000)), [this, machine] {
        if (machines_[machine]->is_up())
          machines_[machine]->parts().set_capacity(machines_[machine]->memory());
      });
    case 6:
      return clients_.give_up_one();
    default:
      return clients_.ask_again();
  }
}

void Scenario::act_regularly(Time until) {
  if (network_.now() >= until) return;
  act();
  network_.at(network_.now() + milliseconds(100 + network_.rng().below(1500)),
              [this, until] { act_regularly(until); });
}

void Scenario::fault_regularly(Time until) {
  if (network_.now() >= until) return;
  say(random_fault(network_));
  network_.at(network_.now() + milliseconds(1000 + network_.rng().below(6000)),
              [this, until] { fault_regularly(until); });
}

void Scenario::ask_regularly(Time until) {
  if (network_.now() >= until) return;
  if (const std::size_t machine = any_up(); machine < machines_.size()) clients_.ask(machine);
  network_.at(network_.now() + milliseconds(100 + network_.rng().below(1200)),
              [this, until] { ask_regularly(until); });
}

void Scenario::heal() {
  network_.heal();
  say("all is healed");
  for (const auto& machine : machines_) {
    if (!machine->is_up() && network_.rng().below(4) != 0) start(machine->number());
  }
  if (up().empty()) start(0);
  // Faults and restarts that were under way end within the longest of them; only then time counts.
  network_.run_until(network_.now() + seconds(12));
  network_.heal();
  for (const auto& machine : machines_)
    if (machine->is_up()) machine->parts().fail_loads(0);
  clients_.ask_again();
}

bool Scenario::wait_for_agreement(const std::string& when) {
  const Time until = network_.now() + kAgreedWithin;
  std::string wrong;
  do {
    network_.run_until(network_.now() + seconds(1));
    wrong = InstanceInvariants::disagreement(machines_);
  } while (!wrong.empty() && network_.now() < until);
  if (!wrong.empty()) invariants_.fail(when + ": " + wrong);
  return wrong.empty();
}

void Scenario::wait_for_ends(std::size_t of, const std::string& when) {
  const Time until = network_.now() + kEndedWithin;
  while (clients_.open() > 0 && network_.now() < until)
    network_.run_until(network_.now() + milliseconds(500));
  if (const std::string waits = clients_.unanswered(of); !waits.empty())
    invariants_.fail(when + ": " + waits);
}

void Scenario::ask_everybody() {
  std::size_t asked = 0;
  for (const std::size_t machine : up())
    for (const InstanceStatus& status : machines_[machine]->core().statuses()) {
      if (status.phase != InstancePhase::ready || status.instance != status.model) continue;
      clients_.ask(machine, status.model, {static_cast<TokenId>(machine), 5}, 0);
      ++asked;
    }
  wait_for_ends(asked, "all is well");
}

// In the midst of answers, in fair weather.
void Scenario::lose_one_more() {
  Rng& rng = network_.rng();
  if (up().size() < 2) return;
  for (const std::size_t machine : up()) clients_.ask(machine);
  network_.run_until(network_.now() + milliseconds(300 + rng.below(1500)));
  const std::size_t victim = any_up();
  const bool freezes = rng.below(3) == 0;
  if (freezes) {
    say(fmt::format("freeze {}", victim));
    network_.freeze(victim, true);
    network_.run_until(network_.now() + seconds(5 + rng.below(10)));
    network_.freeze(victim, false);
    say(fmt::format("thaw {}", victim));
  } else {
    crash(victim);
  }
  if (wait_for_agreement("after the loss of one more")) wait_for_ends(0, "after one more loss");
}

Outcome Scenario::run() {
  found();
  network_.run_until(network_.now() + seconds(4));
  wish();
  Rng& rng = network_.rng();
  const Time until = network_.now() + seconds(12) + seconds(rng.below(15));
  network_.at(network_.now() + seconds(rng.below(4)), [this, until] { fault_regularly(until); });
  network_.at(network_.now() + seconds(rng.below(8)), [this, until] { act_regularly(until); });
  ask_regularly(until + seconds(5));
  network_.run_until(until);
  heal();
  if (wait_for_agreement("after the last fault")) {
    wait_for_ends(0, "after the last fault");
    ask_everybody();
    // What was agreed on stays.
    if (const auto wrong = InstanceInvariants::disagreement(machines_); !wrong.empty())
      invariants_.fail("it did not stay so: " + wrong);
    lose_one_more();
  }
  for (const auto& machine : machines_)
    for (const std::string& complaint : machine->machine().complaints)
      invariants_.fail(fmt::format("machine {} complains: {}", machine->number(), complaint));
  say(fmt::format("{} requests, {} whole answers", clients_.asked(), clients_.whole()));
  outcome_.failures = invariants_.failures();
  outcome_.packets = network_.packets_sent();
  return std::move(outcome_);
}

}  // namespace

Outcome run_instances(std::uint64_t seed) { return Scenario(seed).run(); }

}  // namespace drystone::sim
