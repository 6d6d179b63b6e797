#include "cluster/plan/divide_widths.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

#include "base/rng.h"

namespace drystone {
namespace {

using Units = std::vector<std::uint32_t>;

// Calls `take` with every way to give `units` to `ranks`, none empty.
void all_shares(std::uint32_t units, std::size_t ranks, Units& taken,
                const std::function<void(const Units&)>& take) {
  if (taken.size() + 1 == ranks) {
    taken.push_back(units);
    take(taken);
    taken.pop_back();
    return;
  }
  const auto left = static_cast<std::uint32_t>(ranks - taken.size() - 1);
  for (std::uint32_t u = 1; u + left <= units; ++u) {
    taken.push_back(u);
    all_shares(units - u, ranks, taken, take);
    taken.pop_back();
  }
}

double wait(const std::vector<RankLoad>& ranks, const Units& kv, const Units& ff) {
  double attention = 0, feed_forward = 0;
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    attention = std::max(attention, kv[r] * ranks[r].kv_head_s);
    feed_forward = std::max(feed_forward, ff[r] * ranks[r].ff_s);
  }
  return attention + feed_forward;
}

bool fits(const std::vector<RankLoad>& ranks, const Units& kv, const Units& ff) {
  for (std::size_t r = 0; r < ranks.size(); ++r)
    if (kv[r] * ranks[r].kv_head_bytes + ff[r] * ranks[r].ff_bytes > ranks[r].budget) return false;
  return true;
}

double brute_force(const std::vector<RankLoad>& ranks, const WidthUnits& units) {
  double best = std::numeric_limits<double>::infinity();
  Units kv_taken, ff_taken;
  all_shares(units.kv_heads, ranks.size(), kv_taken, [&](const Units& kv) {
    ff_taken.clear();
    all_shares(units.ff, ranks.size(), ff_taken, [&](const Units& ff) {
      if (fits(ranks, kv, ff)) best = std::min(best, wait(ranks, kv, ff));
    });
  });
  return best;
}

RankLoad rank(double slow, double budget) {
  return {.kv_head_s = slow,
          .ff_s = slow / 10,
          .vocab_s = slow / 100,
          .kv_head_bytes = 10,
          .ff_bytes = 1,
          .vocab_bytes = 0.1,
          .budget = budget};
}

// Every layer waits for its slowest rank twice: the slow machine gets less.
TEST(DivideWidths, SlowRanksGetLess) {
  const auto widths = divide_widths({rank(1, 1e9), rank(3, 1e9)}, {8, 400, 1000});
  ASSERT_TRUE(widths);
  EXPECT_EQ(widths->kv_heads, (Units{6, 2}));
  EXPECT_EQ(widths->ff, (Units{300, 100}));
  EXPECT_EQ(widths->vocab, (Units{750, 250}));
}

// The fast machine is small: it takes what it holds, and the slow one the rest.
TEST(DivideWidths, MemoryLimitsARank) {
  const std::vector<RankLoad> ranks = {rank(1, 200), rank(3, 1e9)};
  const auto widths = divide_widths(ranks, {8, 400, 0});
  ASSERT_TRUE(widths);
  EXPECT_TRUE(fits(ranks, widths->kv_heads, widths->ff));
  EXPECT_TRUE(widths->vocab.empty());
  EXPECT_FALSE(divide_widths({rank(1, 200), rank(3, 200)}, {8, 400, 0}));
}

TEST(DivideWidths, MoreRanksThanHeadsCannotBe) {
  EXPECT_FALSE(divide_widths({rank(1, 1e9), rank(1, 1e9), rank(1, 1e9)}, {2, 400, 0}));
}

// Large counts are shared out in one go, to the same end as one by one.
TEST(DivideWidths, SharesAreCompleteWhateverTheSpeeds) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    std::vector<RankLoad> ranks;
    for (std::size_t r = 0, count = 2 + rng.below(7); r < count; ++r)
      ranks.push_back(rank(0.01 + rng.uniform_double(), 1e9));
    const auto widths = divide_widths(ranks, {64, 896, 9500});
    ASSERT_TRUE(widths);
    EXPECT_EQ(std::accumulate(widths->kv_heads.begin(), widths->kv_heads.end(), 0u), 64u);
    EXPECT_EQ(std::accumulate(widths->ff.begin(), widths->ff.end(), 0u), 896u);
    EXPECT_EQ(std::accumulate(widths->vocab.begin(), widths->vocab.end(), 0u), 9500u);
    EXPECT_EQ(std::ranges::count(widths->vocab, 0u), 0);
    // Nobody could give a unit away and be the better for it.
    double longest = 0, least_next = std::numeric_limits<double>::infinity();
    for (std::size_t r = 0; r < ranks.size(); ++r) {
      if (widths->vocab[r] > 1) longest = std::max(longest, widths->vocab[r] * ranks[r].vocab_s);
      least_next = std::min(least_next, (widths->vocab[r] + 1) * ranks[r].vocab_s);
    }
    EXPECT_LE(longest, least_next * (1 + 1e-9)) << "seed " << seed;
  }
}

// 3 * 0.1 is a little more than 0.3, and less than what counts as more: the search went on for
// ever.
TEST(DivideWidths, EndsWhereTimesDifferByRoundingAlone) {
  const auto rank = [](double ff_s) {
    return RankLoad{.kv_head_s = .1, .ff_s = ff_s, .kv_head_bytes = 1, .ff_bytes = 1, .budget = 4};
  };
  const auto widths = divide_widths({rank(.1), rank(.3)}, {4, 4, 0});
  ASSERT_TRUE(widths);
  EXPECT_EQ(widths->ff, (Units{3, 1}));
}

// Compared with all widths there are, with and without memory in the way.
TEST(DivideWidths, IsAsGoodAsTryingEverything) {
  int bound = 0;
  for (std::uint64_t seed = 0; seed < 800; ++seed) {
    Rng rng(seed);
    // Multiples of one another as well, whose last bits differ.
    const auto time = [&] {
      return seed % 2 == 0 ? 0.1 + rng.uniform_double() : 0.1 * (1.0 + rng.below(7));
    };
    std::vector<RankLoad> ranks;
    for (std::size_t r = 0, count = 2 + rng.below(3); r < count; ++r)
      ranks.push_back({.kv_head_s = time(),
                       .ff_s = time(),
                       .kv_head_bytes = 10,
                       .ff_bytes = 7,
                       .budget = 20.0 + rng.below(80)});
    const WidthUnits units{static_cast<std::uint32_t>(4 + rng.below(5)),
                           static_cast<std::uint32_t>(4 + rng.below(7)), 0};
    const double best = brute_force(ranks, units);
    const auto widths = divide_widths(ranks, units);
    ASSERT_EQ(widths.has_value(), best < 1e300) << "seed " << seed;
    if (!widths) continue;
    ASSERT_TRUE(fits(ranks, widths->kv_heads, widths->ff)) << "seed " << seed;
    EXPECT_NEAR(wait(ranks, widths->kv_heads, widths->ff), best, 1e-9) << "seed " << seed;
    for (RankLoad& rank : ranks) rank.budget = 1e9;
    bound += brute_force(ranks, units) < best;
  }
  EXPECT_GT(bound, 50) << "memory should bind often enough to be tested";
}

}  // namespace
}  // namespace drystone
