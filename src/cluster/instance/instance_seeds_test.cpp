// The life of instances under everything at once: seeded loss, cuts in one or both directions,
// kills, restarts, full disks, broken parts, changing wishes.
//
// What must hold at every step is checked by SimCluster itself: no ledger is overbooked, no part is
// loaded under an epoch that is not higher, no part is dropped that is not held, every placement is
// complete. In the end, when all is quiet, everybody must agree on one epoch per instance and hold
// just what it says, and every instance is ready, refused
// or given up.
//
// DRYSTONE_SEEDS=10000 runs as many; DRYSTONE_SEED=17 runs that one and prints what happened.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "cluster/instance/sim/sim_cluster.h"
#include "cluster/plan/sample_cluster.h"

namespace drystone {
namespace {

constexpr std::uint64_t kSeeds = 100;

class Trouble {
 public:
  explicit Trouble(std::uint64_t seed) : rng_(seed * 2 + 1), cluster_(seed) {
    if (seed % 2 == 1) cluster_.slow_plans();
  }

  // "" when all went well.
  std::string run() {
    const std::size_t nodes = 1 + rng_.below(5);
    for (std::size_t i = 0; i < nodes; ++i)
      cluster_.add_node(std::string(1, static_cast<char>('a' + i)),
                        (200 + 100 * rng_.below(12)) * kMiB);
    for (const char* model : kModels)
      cluster_.add_model(sample_model({.name = model, .tied = true}));
    cluster_.run(3);
    for (int i = 0; i < 60; ++i) {
      trouble();
      cluster_.run(0.5 + 0.5 * static_cast<double>(rng_.below(6)));
    }
    calm();
    constexpr double kQuiet_s = 240;
    for (double waited = 0; waited < kQuiet_s; waited += 10) {
      cluster_.run(10);
      if (problem().empty()) break;
    }
    return problem();
  }

  std::string trace() { return cluster_.trace(); }

 private:
  static constexpr const char* kModels[] = {"llama", "qwen"};

  std::string any_node() {
    const auto names = cluster_.names();
    return names[rng_.below(names.size())];
  }

  void trouble() {
    const std::string model = kModels[rng_.below(2)], node = any_node(), other = any_node();
    switch (rng_.below(12)) {
      case 0:
      case 1:
        return wish(model);
      case 2:
        return cluster_.unwant(model);
      case 3:
        if (cluster_.is_up(node)) cluster_.kill(node);
        return;
      case 4:
      case 5:
        return cluster_.start(node);
      case 6:
        if (node != other) cluster_.cut(node, other, rng_.below(3) == 0);
        return;
      case 7:
        return cluster_.heal();
      case 8:
        return cluster_.fail_loads(node, static_cast<int>(rng_.below(4)));
      case 9:
        return cluster_.break_part(node, model);
      case 10:
        if (!cluster_.is_up(node)) return;
        cluster_.kill(node);
        return cluster_.start(node);
      default:
        return cluster_.lose_messages(0.3 * static_cast<double>(rng_.below(3)));
    }
  }

  void wish(const std::string& model) {
    DesiredInstance desired{.model = model,
                            .context = static_cast<std::uint32_t>(256 << rng_.below(4)),
                            .replicas = static_cast<std::uint32_t>(1 + rng_.below(5) / 4)};
    if (rng_.below(3) == 0) desired.stages = static_cast<std::uint32_t>(1 + rng_.below(3));
    if (rng_.below(5) == 0) desired.shards = static_cast<std::uint32_t>(1 + rng_.below(3));
    if (rng_.below(5) == 0) desired.nodes = {any_node(), any_node()};
    cluster_.want(desired);
  }

  void calm() {
    cluster_.heal();
    cluster_.lose_messages(0);
    for (const std::string& name : cluster_.names()) {
      cluster_.start(name);
      cluster_.fail_loads(name, 0);
    }
  }

  std::string problem() const {
    if (std::string wrong = cluster_.disagreement(); !wrong.empty()) return wrong;
    for (const std::string& name : cluster_.names())
      for (const InstanceStatus& status : cluster_.core(name).statuses())
        if (status.phase != InstancePhase::ready && status.phase != InstancePhase::refused &&
            !status.gave_up)
          return fmt::format("{} sees {} {}: {}", name, status.instance, to_string(status.phase),
                             status.message);
    return "";
  }

  Rng rng_;
  SimCluster cluster_;
};

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(InstanceSeeds, EverybodyAgreesInTheEnd) {
  const std::uint64_t one = number_from("DRYSTONE_SEED", ~0ull);
  const std::uint64_t first = one == ~0ull ? 0 : one;
  const std::uint64_t end = one == ~0ull ? number_from("DRYSTONE_SEEDS", kSeeds) : one + 1;
  for (std::uint64_t seed = first; seed < end; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Trouble trouble(seed);
    const std::string problem = trouble.run();
    if (one != ~0ull) fmt::print("{}", trouble.trace());
    ASSERT_EQ(problem, "") << "to replay: DRYSTONE_SEED=" << seed
                           << " instance_test --gtest_filter=InstanceSeeds.EverybodyAgreesInTheEnd";
  }
}

}  // namespace
}  // namespace drystone
