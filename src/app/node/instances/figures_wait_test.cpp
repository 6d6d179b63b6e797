#include "app/node/instances/figures_wait.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace drystone {
namespace {

using All = std::vector<Unmeasured>;

struct FiguresWaitTest : ::testing::Test {
  FiguresWait::Outcome wait(const All& missing) {
    return waits.wait(clock, "a load", [&]() -> Result<All> {
      ++looks;
      return missing;
    });
  }
  SystemClock clock;
  FiguresWait waits{std::chrono::milliseconds(150), [](const std::string&) {}};
  int looks = 0;
};

// A container that may not measure its memory made each load wait, for good.
TEST_F(FiguresWaitTest, WhatDoesNotComeIsWaitedForOnce) {
  const All missing = {{"nova", false}};
  const auto first = wait(missing);
  EXPECT_TRUE(first.waited.ends_with("for figures of nova: planned without")) << first.waited;
  EXPECT_EQ(first.missing, missing);
  looks = 0;
  EXPECT_EQ(wait(missing).waited, "");
  EXPECT_EQ(looks, 1);
  EXPECT_NE(wait({{"nova", false}, {"atlas", false}}).waited, "") << "atlas is new";
  EXPECT_EQ(wait({}).waited, "");
  EXPECT_NE(wait(missing).waited, "") << "nova has measured itself meanwhile, and came anew";
}

TEST_F(FiguresWaitTest, WhatIsOnItsWayIsWaitedForEachTime) {
  EXPECT_NE(wait({{"nova", true}}).waited, "");
  EXPECT_NE(wait({{"nova", true}}).waited, "");
}

TEST(NamesOf, ManyAreNotAllNamed) {
  All many;
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g"}) many.push_back({name, false});
  EXPECT_EQ(names_of(many), "a, b, c, d, e and 2 more");
}

}  // namespace
}  // namespace drystone
