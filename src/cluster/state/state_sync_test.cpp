#include "cluster/state/state_sync.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace drystone::cluster {
namespace {

const NodeId kA(26, 'a'), kB = "b" + std::string(25, 'a');
constexpr std::int64_t kNow = 1'800'000'000'000;

// Two maps that speak to each other over a path that loses some messages.
struct Pair {
  StateMap a{kA}, b{kB};
  StateSync of_a{a}, of_b{b};
  std::chrono::nanoseconds now = std::chrono::seconds(10);
  Rng rng{1};
  std::uint64_t lost_of_10 = 0;
  std::size_t messages = 0, keys_listed_max = 0, entries = 0;

  void carry(StateSync& from, const NodeId& from_id, StateSync& to, const StateMap& map,
             bool greeting) {
    std::vector<StateSync::Out> outputs = from.take_outputs();
    if (outputs.empty() && greeting) outputs.push_back({});
    for (StateSync::Out& out : outputs) {
      ++messages;
      entries += out.part.entries.size();
      if (out.part.listing)
        keys_listed_max = std::max(keys_listed_max, out.part.listing->keys.size());
      if (rng.below(10) < lost_of_10) continue;
      out.part.digest = map.digest();
      ASSERT_TRUE(to.receive(from_id, out.part, [](const NodeId&) { return true; }, now, kNow));
    }
  }
  // Rounds of half a second, each with a greeting and what follows from it, until both are equal.
  int rounds_until_equal() {
    for (int round = 0; round < 200; ++round) {
      if (a.digest() == b.digest()) return round;
      now += std::chrono::milliseconds(500);
      for (int step = 0; step < 4; ++step) {
        carry(of_a, kA, of_b, a, step == 0);
        carry(of_b, kB, of_a, b, step == 0);
      }
    }
    return -1;
  }
};

TEST(StateSync, UnequalMapsBecomeEqualInOneRound) {
  Pair pair;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(pair.a.put("a" + std::to_string(i), "1", kNow));
    ASSERT_TRUE(pair.b.put("b" + std::to_string(i), "2", kNow));
    ASSERT_TRUE(pair.a.put("both" + std::to_string(i), "1", kNow));
    ASSERT_TRUE(pair.b.put("both" + std::to_string(i), "2", kNow));
  }
  ASSERT_TRUE(pair.a.erase("a3", kNow));
  EXPECT_EQ(pair.rounds_until_equal(), 1);
  EXPECT_EQ(*pair.a.get("both7"), "2");
  EXPECT_EQ(pair.a.size(), 60U);
  EXPECT_FALSE(pair.of_a.in_step(kB));
  pair.carry(pair.of_b, kB, pair.of_a, pair.b, true);
  EXPECT_TRUE(pair.of_a.in_step(kB));
}

TEST(StateSync, OneDifferenceInALargeMapCostsLittle) {
  Pair pair;
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(pair.a.put("k" + std::to_string(i), "1", kNow));
    ASSERT_TRUE(pair.b.merge(*pair.a.entry("k" + std::to_string(i)), kNow));
  }
  ASSERT_TRUE(pair.b.put("k77", "2", kNow));
  EXPECT_EQ(pair.rounds_until_equal(), 1);
  EXPECT_LE(pair.entries, 2U);
  EXPECT_LE(pair.keys_listed_max, 150U);
}

TEST(StateSync, LargeMapsBecomeEqualInBoundedMessages) {
  Pair pair;
  for (int i = 0; i < 6000; ++i) ASSERT_TRUE(pair.a.put("k" + std::to_string(i), "1", kNow));
  const int rounds = pair.rounds_until_equal();
  EXPECT_GT(rounds, 0);
  EXPECT_LE(rounds, 40);
  EXPECT_LE(pair.keys_listed_max, kListedMax);
}

TEST(StateSync, LossDelaysButDoesNotHinder) {
  Pair pair;
  pair.lost_of_10 = 3;
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(pair.a.put("a" + std::to_string(i), "1", kNow));
    ASSERT_TRUE(pair.b.put("b" + std::to_string(i), "1", kNow));
  }
  const int rounds = pair.rounds_until_equal();
  EXPECT_GT(rounds, 0);
  EXPECT_LE(rounds, 60);
}

TEST(StateSync, NewsArePushed) {
  Pair pair;
  ASSERT_TRUE(pair.a.put("k", "1", kNow));
  const NodeId to[] = {kB};
  pair.of_a.push(to, "k");
  pair.carry(pair.of_a, kA, pair.of_b, pair.a, false);
  EXPECT_EQ(pair.messages, 1U);
  EXPECT_EQ(pair.a.digest(), pair.b.digest());
}

// What exchange does not mend is tried less and less often.
TEST(StateSync, AHopelessDifferenceIsComparedRarely) {
  Pair pair;
  ASSERT_TRUE(pair.a.put(own_key(kA, "x"), "1", kNow));
  std::size_t compared = 0;
  for (int i = 0; i < 240; ++i) {
    pair.now += std::chrono::milliseconds(250);
    StatePart greeting;
    greeting.digest = pair.a.digest();
    ASSERT_TRUE(
        pair.of_b.receive(kA, greeting, [](const NodeId&) { return false; }, pair.now, kNow));
    for (const StateSync::Out& out : pair.of_b.take_outputs()) compared += out.part.buckets ? 1 : 0;
  }
  EXPECT_LE(compared, 65U) << "in a minute";
  EXPECT_GE(compared, 40U);
}

}  // namespace
}  // namespace drystone::cluster
