#include "app/node/figures/probe_schedule.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

using Outcome = ProbeSchedule::Outcome;
using namespace std::chrono_literals;

TEST(ProbeSchedule, MeasuresNewPeersAndAgainAfterAWhile) {
  ProbeSchedule schedule(1);
  schedule.set_peers({{"b", "1"}, {"c", "1"}}, 0s);
  EXPECT_TRUE(schedule.due(1s));
  schedule.done("b", Outcome::measured, 1s);
  EXPECT_EQ(schedule.due(1s), "c");
  schedule.done("c", Outcome::measured, 2s);
  schedule.set_peers({{"b", "1"}, {"c", "1"}}, 3s);
  EXPECT_FALSE(schedule.due(9min));
  EXPECT_TRUE(schedule.due(12min));
}

// A cable that was plugged in is another link.
TEST(ProbeSchedule, MeasuresAgainWhenAddressesChange) {
  ProbeSchedule schedule(1);
  schedule.set_peers({{"b", "1"}}, 0s);
  schedule.done("b", Outcome::measured, 1s);
  schedule.set_peers({{"b", "1 2"}}, 2s);
  EXPECT_EQ(schedule.due(3s), "b");
}

TEST(ProbeSchedule, AsksASilentPeerLessAndLess) {
  ProbeSchedule schedule(1);
  schedule.set_peers({{"b", "1"}}, 0s);
  Clock::Nanoseconds now = 1s;
  int asked = 0;
  for (; now < 10min; now += 1s)
    if (schedule.due(now)) {
      schedule.done("b", Outcome::failed, now);
      ++asked;
    }
  EXPECT_GT(asked, 5);
  EXPECT_LT(asked, 12);
  schedule.done("b", Outcome::busy, now);
  EXPECT_EQ(schedule.due(now + 3s), "b");
}

TEST(ProbeSchedule, ForgetsWhoIsGone) {
  ProbeSchedule schedule(1);
  schedule.set_peers({{"b", "1"}}, 0s);
  schedule.set_peers({}, 1s);
  EXPECT_FALSE(schedule.due(1h));
}

}  // namespace
}  // namespace drystone
