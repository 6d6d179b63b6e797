#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

#include "cluster/instance/sim/sim_cluster.h"
#include "cluster/plan/sample_cluster.h"

// What tests of the instance core share: a small model, nodes that hold it or half of it.

namespace drystone {

// 22 layers, about 630 MiB with its cache: fits a large node, or two small ones.
inline ModelFigures small_model(const std::string& name = "llama") {
  return sample_model({.name = name, .tied = true});
}
inline const DesiredInstance kWanted{.model = "llama", .context = 1024};
inline constexpr Bytes kLarge = 1000 * kMiB, kSmall = 450 * kMiB;

inline DesiredInstance two_stages() {
  DesiredInstance desired = kWanted;
  desired.stages = 2;
  return desired;
}

class TestCluster : public SimCluster {
 public:
  using SimCluster::SimCluster;
  // Nodes of that memory, which know the model and each other.
  TestCluster(std::uint64_t seed, std::initializer_list<const char*> nodes, Bytes memory_each,
              bool plans_are_slow = false)
      : SimCluster(seed) {
    if (plans_are_slow) slow_plans();
    for (const char* name : nodes) add_node(name, memory_each);
    add_model(small_model());
    run(5);
  }
  testing::AssertionResult gets_ready(const std::string& instance = "llama", double within_s = 20) {
    if (run_until_ready(instance, within_s)) return testing::AssertionSuccess();
    return testing::AssertionFailure() << trace();
  }
};

// Plans that are there at once, and those that a thread makes meanwhile.
struct PlansAtOnceAndLater : testing::TestWithParam<bool> {};
inline std::string plans_name(const testing::TestParamInfo<bool>& one) {
  return one.param ? "slow" : "at_once";
}

// How often `part` stands in `text`.
inline std::size_t count(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size())
    ++count;
  return count;
}

}  // namespace drystone
