#include "app/node/figures/measure_again.h"

#include <gtest/gtest.h>

#include <vector>

namespace drystone {
namespace {

using std::chrono::seconds;

// Seconds at which it looks within an hour, on a machine that is idle from `idle_s` on.
std::vector<int> looks(int idle_s) {
  MeasureAgain again(seconds(0));
  std::vector<int> at;
  for (int now = 0; now < 3600; ++now)
    if (again.due(seconds(now))) {
      at.push_back(now);
      again.done(now >= idle_s, seconds(now));
    }
  return at;
}

TEST(MeasureAgain, AFewTimesAfterAStart) { EXPECT_EQ(looks(0), (std::vector<int>{5, 15, 35})); }

// Machines are idle some time; one that is not is looked at ever more rarely.
TEST(MeasureAgain, LooksUntilTheMachineIsIdle) {
  EXPECT_EQ(looks(30), (std::vector<int>{5, 15, 35, 75, 155}));
  EXPECT_EQ(looks(4000), (std::vector<int>{5, 15, 35, 75, 155, 315, 635, 1235, 1835, 2435, 3035}));
}

}  // namespace
}  // namespace drystone
