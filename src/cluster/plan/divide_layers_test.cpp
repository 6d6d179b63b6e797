#include "cluster/plan/divide_layers.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "base/rng.h"

namespace drystone {
namespace {

StageLoad stage(std::uint32_t layers, double layer_s, double budget, double extra_s = 0) {
  StageLoad load{.seconds = {0}, .extra_s = extra_s, .ranks = {{.bytes = {0}, .budget = budget}}};
  for (std::uint32_t i = 0; i < layers; ++i) {
    load.seconds.push_back(load.seconds.back() + layer_s);
    load.ranks[0].bytes.push_back(load.ranks[0].bytes.back() + 1);
  }
  return load;
}

struct Best {
  double longest = std::numeric_limits<double>::infinity();
  double sum = std::numeric_limits<double>::infinity();      // with that longest
  double any_sum = std::numeric_limits<double>::infinity();  // with any
};

Best brute_force(const std::vector<StageLoad>& stages) {
  const auto layers = static_cast<std::uint32_t>(stages[0].seconds.size() - 1);
  Best best;
  const std::function<void(std::size_t, std::uint32_t, double, double)> extend =
      [&](std::size_t p, std::uint32_t begin, double longest, double sum) {
        if (p == stages.size()) {
          if (begin != layers) return;
          best.any_sum = std::min(best.any_sum, sum);
          if (longest < best.longest * (1 - 1e-9))
            best.longest = longest, best.sum = sum;
          else if (longest <= best.longest * (1 + 1e-9))
            best.sum = std::min(best.sum, sum);
          return;
        }
        for (std::uint32_t end = begin + 1; end <= layers; ++end)
          if (stages[p].holds(begin, end)) {
            const double time = stages[p].time(begin, end);
            extend(p + 1, end, std::max(longest, time), sum + time);
          }
      };
  extend(0, 0, 0, 0);
  return best;
}

std::pair<double, double> longest_and_sum(const std::vector<StageLoad>& stages,
                                          const std::vector<std::uint32_t>& ends) {
  double longest = 0, sum = 0;
  std::uint32_t begin = 0;
  for (std::size_t p = 0; p < stages.size(); begin = ends[p++]) {
    EXPECT_GT(ends[p], begin);
    EXPECT_TRUE(stages[p].holds(begin, ends[p]));
    longest = std::max(longest, stages[p].time(begin, ends[p]));
    sum += stages[p].time(begin, ends[p]);
  }
  EXPECT_EQ(ends.back(), stages[0].seconds.size() - 1);
  return {longest, sum};
}

// A machine twice as fast takes twice as many layers, or the pipeline waits for the slow one.
TEST(DivideLayers, FastStagesTakeMore) {
  const auto ends = divide_layers({stage(24, 1, 100), stage(24, 2, 100)}, DivideBy::longest_stage);
  EXPECT_EQ(ends, (std::vector<std::uint32_t>{16, 24}));
}

// Memory is a limit, not a wish: the fast machine takes what it holds.
TEST(DivideLayers, MemoryLimitsAStage) {
  const auto ends = divide_layers({stage(24, 1, 10), stage(24, 2, 100)}, DivideBy::longest_stage);
  EXPECT_EQ(ends, (std::vector<std::uint32_t>{10, 24}));
  EXPECT_FALSE(divide_layers({stage(24, 1, 10), stage(24, 2, 13)}, DivideBy::longest_stage));
  EXPECT_FALSE(divide_layers({stage(24, 1, 0.5), stage(24, 2, 100)}, DivideBy::longest_stage));
}

// The head also applies the output matrix.
TEST(DivideLayers, ExtraWorkLeavesFewerLayers) {
  const auto ends =
      divide_layers({stage(24, 1, 100, 4), stage(24, 1, 100)}, DivideBy::longest_stage);
  EXPECT_EQ(ends, (std::vector<std::uint32_t>{10, 24}));
}

TEST(DivideLayers, MoreStagesThanLayersCannotBe) {
  EXPECT_FALSE(divide_layers({stage(1, 1, 9), stage(1, 1, 9)}, DivideBy::longest_stage));
}

// The search must not miss a better cut: compared with all cuts there are.
TEST(DivideLayers, IsAsGoodAsTryingEverything) {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    Rng rng(seed);
    const auto layers = static_cast<std::uint32_t>(2 + rng.below(9));
    std::vector<StageLoad> stages(1 + rng.below(4));
    std::vector<double> weight(layers), bytes(layers);
    for (std::uint32_t i = 0; i < layers; ++i)
      weight[i] = 1 + rng.below(3), bytes[i] = 1 + rng.below(4);
    for (StageLoad& load : stages) {
      load = {.seconds = {0}, .extra_s = 0.5 * rng.below(4)};
      const double slow = 0.5 + rng.uniform_double();
      load.ranks.resize(1 + rng.below(2));
      for (std::uint32_t i = 0; i < layers; ++i)
        load.seconds.push_back(load.seconds.back() + slow * weight[i]);
      for (StageLoad::Rank& rank : load.ranks) {
        rank = {.bytes = {0}, .budget = 2.0 + rng.below(layers * 3)};
        for (std::uint32_t i = 0; i < layers; ++i)
          rank.bytes.push_back(rank.bytes.back() + bytes[i]);
      }
    }
    const Best best = brute_force(stages);
    const auto balanced = divide_layers(stages, DivideBy::longest_stage);
    const auto summed = divide_layers(stages, DivideBy::sum);
    ASSERT_EQ(balanced.has_value(), best.longest < 1e300) << "seed " << seed;
    ASSERT_EQ(summed.has_value(), balanced.has_value()) << "seed " << seed;
    if (!balanced) continue;
    const auto [longest, sum] = longest_and_sum(stages, *balanced);
    EXPECT_NEAR(longest, best.longest, 1e-6 * best.longest) << "seed " << seed;
    EXPECT_NEAR(sum, best.sum, 1e-6 * best.sum) << "seed " << seed;
    EXPECT_NEAR(longest_and_sum(stages, *summed).second, best.any_sum, 1e-6 * best.any_sum)
        << "seed " << seed;
  }
}

}  // namespace
}  // namespace drystone
