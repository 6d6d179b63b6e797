#include "cluster/state/state_map.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace drystone::cluster {
namespace {

const NodeId kA(26, 'a'), kB = "b" + std::string(25, 'a'), kC = "c" + std::string(25, 'a');
constexpr std::int64_t kDayMs = 24 * 3600 * 1000;
constexpr std::int64_t kNow = 20'000 * kDayMs;

std::vector<MapEntry> entries(const StateMap& map) {
  std::vector<MapEntry> all;
  for (const MapEntry* entry : map.entries()) all.push_back(*entry);
  return all;
}

void give_all(const StateMap& from, StateMap& to, std::int64_t wall_ms = kNow) {
  for (const MapEntry& entry : entries(from)) ASSERT_TRUE(to.merge(entry, wall_ms));
}

std::string value(const StateMap& map, std::string_view key) {
  const std::string* found = map.get(key);
  return found ? *found : "none";
}

TEST(StateMap, TheLaterWriteHoldsEverywhere) {
  StateMap a(kA), b(kB);
  ASSERT_TRUE(a.put("want/pebble", R"({"context":1})", kNow));
  give_all(a, b);
  ASSERT_TRUE(b.put("want/pebble", R"({"context":2})", kNow));  // by the same clock
  give_all(b, a);
  EXPECT_EQ(value(a, "want/pebble"), R"({"context":2})");
  EXPECT_EQ(a.digest(), b.digest());
}

// Two sides of a partition wrote: what people did last holds, however much each side wrote.
TEST(StateMap, InAPartitionTheLaterTimeHolds) {
  StateMap a(kA), b(kB);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(a.put("k", std::to_string(i), kNow));
  ASSERT_TRUE(b.put("k", "\"later\"", kNow + 60'000));
  give_all(a, b);
  give_all(b, a);
  EXPECT_EQ(value(a, "k"), "\"later\"");
  EXPECT_EQ(a.digest(), b.digest());
}

TEST(StateMap, WhatWasErasedStaysErased) {
  StateMap a(kA), b(kB);
  ASSERT_TRUE(a.put("k", "1", kNow));
  give_all(a, b);
  const std::vector<MapEntry> old = entries(a);
  ASSERT_TRUE(b.erase("k", kNow));
  give_all(b, a);
  EXPECT_EQ(value(a, "k"), "none");
  EXPECT_FALSE(*a.merge(old[0], kNow));
  EXPECT_EQ(value(a, "k"), "none");
  EXPECT_TRUE(a.list("").empty());
  EXPECT_EQ(a.size(), 1U) << "the tombstone";
}

TEST(StateMap, TombstonesGoAfter30Days) {
  StateMap a(kA), b(kB);
  ASSERT_TRUE(a.put("k", "1", kNow));
  ASSERT_TRUE(a.erase("k", kNow));
  give_all(a, b);
  a.prune(kNow + 29 * kDayMs);
  EXPECT_EQ(a.size(), 1U);
  a.prune(kNow + 31 * kDayMs);
  EXPECT_EQ(a.size(), 0U);
  give_all(b, a, kNow + 31 * kDayMs);
  EXPECT_EQ(a.size(), 0U) << "nobody brings them back";
}

TEST(StateMap, TombstonesAreBounded) {
  StateMap a(kA);
  for (std::size_t i = 0; i < kTombstonesMax + 10; ++i) {
    const auto at = kNow + static_cast<std::int64_t>(i) * 1000;
    ASSERT_TRUE(a.put("k" + std::to_string(i), "1", at));
    ASSERT_TRUE(a.erase("k" + std::to_string(i), at));
  }
  a.prune(kNow);
  EXPECT_EQ(a.size(), kTombstonesMax);
  EXPECT_EQ(a.entry("k9"), nullptr) << "the oldest went";
  EXPECT_NE(a.entry("k10"), nullptr);
}

// One entry with the last of all counters would end writing for good, on every node that took it.
TEST(StateMap, CountersAbsurdlyAheadAreRefused) {
  StateMap a(kA);
  for (const std::string& key : {std::string("k"), own_key(kA, "k")}) {
    MapEntry last{.key = key, .value = "1", .version = {kCounterMax, kA}};
    EXPECT_TRUE(a.merge(last, kNow).is(Errc::limit)) << key;
    last.version.counter = kNow + kCounterAheadMs + 1;
    EXPECT_TRUE(a.merge(last, kNow).is(Errc::limit)) << key;
    EXPECT_EQ(a.size(), 0U);
  }
  // A clock that is a century ahead, and one that begins at 1970, harm nobody.
  StateMap ahead(kB), behind(kC);
  ASSERT_TRUE(ahead.put("k", "2", kNow + 36'525 * kDayMs));
  give_all(ahead, a);
  ASSERT_TRUE(a.put("k", "3", kNow));
  give_all(a, behind, 0);
  EXPECT_EQ(value(behind, "k"), "3");
}

TEST(StateMap, ANodesOwnKeysAreWrittenByItOnly) {
  StateMap a(kA), b(kB);
  ASSERT_TRUE(a.put(own_key(kA, "memory"), "{}", kNow));
  EXPECT_TRUE(b.put(own_key(kA, "memory"), "{}", kNow).is(Errc::invalid_argument));
  MapEntry forged = *a.entry(own_key(kA, "memory"));
  forged.version.counter += 1;
  forged.version.node = kB;
  EXPECT_TRUE(b.merge(forged, kNow).is(Errc::invalid_argument));
  EXPECT_TRUE(b.put("node/nobody/x", "{}", kNow).is(Errc::invalid_argument));
}

// A node that starts again has nothing loaded, whatever others remember of its earlier life.
TEST(StateMap, AnEarlierLifesKeysAreErasedUnlessWrittenAgain) {
  const std::string parts = own_key(kA, "parts"), about = own_key(kA, "about");
  StateMap before(kA), b(kB);
  ASSERT_TRUE(before.put(parts, "[1,2]", kNow));
  ASSERT_TRUE(before.put(about, R"({"cores":2})", kNow + 50));
  give_all(before, b);

  StateMap after(kA);  // with a clock that is behind
  ASSERT_TRUE(after.put(about, R"({"cores":4})", kNow - kDayMs));
  give_all(b, after);
  EXPECT_EQ(value(after, parts), "none");
  EXPECT_EQ(value(after, about), R"({"cores":4})");
  give_all(after, b);
  EXPECT_EQ(value(b, parts), "none");
  EXPECT_EQ(value(b, about), R"({"cores":4})");
  EXPECT_EQ(after.digest(), b.digest());
}

// A node that lost its memory may write the same version again with another text.
TEST(StateMap, EqualVersionsOfDifferentTextsConverge) {
  StateMap a(kA), a_again(kA), b(kB), c(kC);
  ASSERT_TRUE(a.put("k", "1", kNow));
  ASSERT_TRUE(a_again.put("k", "2", kNow));
  give_all(a, b);
  give_all(a_again, c);
  EXPECT_NE(b.digest(), c.digest());
  give_all(b, c);
  give_all(c, b);
  EXPECT_EQ(b.digest(), c.digest());
  EXPECT_EQ(value(b, "k"), "2");
}

TEST(StateMap, ListsByPrefixAndForgetsOwners) {
  StateMap a(kA), b(kB);
  ASSERT_TRUE(a.put(own_key(kA, "x"), "1", kNow));
  ASSERT_TRUE(a.put("want/m", "2", kNow));
  give_all(a, b);
  const auto empty = b.digest();
  ASSERT_TRUE(b.put(own_key(kB, "x"), "3", kNow));
  EXPECT_EQ(b.list("node/").size(), 2U);
  EXPECT_EQ(b.list("want/"), (std::vector<std::pair<std::string, std::string>>{{"want/m", "2"}}));
  EXPECT_EQ(b.forget_owner(kB), std::vector<std::string>{own_key(kB, "x")});
  EXPECT_EQ(b.digest(), empty);
}

TEST(StateMap, RefusesWhatIsTooLongOrNoJson) {
  StateMap a(kA);
  EXPECT_TRUE(a.put("", "1", kNow).is(Errc::invalid_argument));
  EXPECT_TRUE(a.put("a b", "1", kNow).is(Errc::invalid_argument));
  EXPECT_TRUE(a.put(std::string(257, 'k'), "1", kNow).is(Errc::invalid_argument));
  EXPECT_TRUE(a.put("k", "{", kNow).is(Errc::corrupt));
  EXPECT_TRUE(a.put("k", '"' + std::string(kMapValueBytesMax, 'x') + '"', kNow).is(Errc::limit));
  EXPECT_EQ(a.size(), 0U);
  for (std::size_t i = 0; i < kMapEntriesMax; ++i)
    ASSERT_TRUE(a.put("k" + std::to_string(i), "1", kNow));
  EXPECT_TRUE(a.put("one more", "1", kNow).is(Errc::invalid_argument));
  EXPECT_TRUE(a.put("one-more", "1", kNow).is(Errc::limit));
  EXPECT_TRUE(a.put("k1", "2", kNow)) << "what is there may change";
}

TEST(StateMap, PuttingTheSameValueIsNoChange) {
  StateMap a(kA);
  ASSERT_TRUE(a.put("k", "1", kNow));
  EXPECT_EQ(a.take_changes().size(), 1U);
  ASSERT_TRUE(a.put("k", "1", kNow + 5));
  EXPECT_TRUE(a.take_changes().empty());
}

// Entries of many writers, in any order and doubled, give the same map everywhere.
TEST(StateMap, MergesToTheSameInEveryOrder) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Rng rng(seed);
    const NodeId ids[] = {kA, kB, kC};
    std::vector<StateMap> maps{StateMap(kA), StateMap(kB), StateMap(kC)};
    std::vector<MapEntry> written;
    for (int step = 0; step < 60; ++step) {
      const std::size_t at = rng.below(3);
      const std::string key =
          rng.below(3) == 0 ? own_key(ids[at], "k") : "k" + std::to_string(rng.below(5));
      if (rng.below(4) == 0) {
        ASSERT_TRUE(maps[at].erase(key, kNow));
      } else {
        ASSERT_TRUE(maps[at].put(key, std::to_string(rng.below(100)), kNow));
      }
      if (const MapEntry* entry = maps[at].entry(key)) written.push_back(*entry);
      if (rng.below(3) == 0 && !written.empty())
        (void)maps[rng.below(3)].merge(written[rng.below(written.size())], kNow);
    }
    for (StateMap& map : maps) {
      for (std::size_t i = written.size(); i > 1; --i)
        std::swap(written[i - 1], written[rng.below(i)]);
      for (const MapEntry& entry : written) ASSERT_TRUE(map.merge(entry, kNow));
    }
    ASSERT_EQ(entries(maps[0]), entries(maps[1])) << "seed " << seed;
    ASSERT_EQ(entries(maps[0]), entries(maps[2])) << "seed " << seed;
    ASSERT_EQ(maps[0].digest(), maps[1].digest()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace drystone::cluster
