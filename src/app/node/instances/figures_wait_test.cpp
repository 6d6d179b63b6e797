#include "app/node/instances/figures_wait.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace drystone {
namespace {

using All = std::vector<Unmeasured>;

struct FiguresWaitTest : ::testing::Test {
  FiguresWait::Outcome wait(const All& missing) {
    FiguresWait::Turn turn;
    for (looks = 1;; ++looks) {
      auto outcome = waits.look(turn, "a load", now, missing);
      if (outcome) return *std::move(outcome);
      now += std::chrono::milliseconds(100);
    }
  }
  Clock::Nanoseconds now{};
  FiguresWait waits{
      {.within = std::chrono::milliseconds(150), .on_its_way = std::chrono::milliseconds(450)},
      [](const std::string&) {}};
  int looks = 0;
};

// A container that may not measure its memory made each load wait, for good.
TEST_F(FiguresWaitTest, WhatDoesNotComeIsWaitedForOnce) {
  const All missing = {{"nova", false}};
  const auto first = wait(missing);
  EXPECT_EQ(first.waited, "waited 0.2 s for figures of nova: planned without");
  EXPECT_EQ(first.missing, missing);
  EXPECT_EQ(wait(missing).waited, "");
  EXPECT_EQ(looks, 1);
  EXPECT_NE(wait({{"nova", false}, {"atlas", false}}).waited, "") << "atlas is new";
  EXPECT_EQ(wait({}).waited, "");
  EXPECT_NE(wait(missing).waited, "") << "nova has measured itself meanwhile, and came anew";
}

// A machine measures for some six seconds: who gave up after five never had a figure to show.
TEST_F(FiguresWaitTest, WhatIsOnItsWayIsWaitedForLongerAndEachTime) {
  const std::string waited = "waited 0.5 s for figures of nova: planned without";
  EXPECT_EQ(wait({{"nova", true}}).waited, waited);
  EXPECT_EQ(wait({{"nova", true}}).waited, waited);
}

TEST(NamesOf, ManyAreNotAllNamed) {
  All many;
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g"}) many.push_back({name, false});
  EXPECT_EQ(names_of(many), "a, b, c, d, e and 2 more");
}

}  // namespace
}  // namespace drystone
