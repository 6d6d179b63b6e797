#include "app/node/instances/plan_thread.h"

#include <gtest/gtest.h>

#include <latch>
#include <semaphore>

namespace drystone {
namespace {

PlaceValue refusal(const std::string& why) { return {.refused = why}; }

// Heartbeats go over the thread that asks.
TEST(PlanThread, WhoAsksDoesNotWait) {
  PlanThread plans;
  std::counting_semaphore<> made(0);
  plans.start([&] { made.release(); });
  std::latch slow(1);
  const auto job = [&]() -> PlanJob {
    return [&] {
      slow.wait();
      return refusal("slow");
    };
  };
  EXPECT_FALSE(plans.made(1, job));
  EXPECT_FALSE(plans.made(1, job));
  slow.count_down();
  made.acquire();
  const auto value = plans.made(1, job);
  ASSERT_TRUE(value);
  EXPECT_EQ(value->refused, "slow");
}

// What has changed while a plan was made makes another one of it.
TEST(PlanThread, ANewNumberTakesThePlaceOfTheOldOne) {
  PlanThread plans;
  std::counting_semaphore<> made(0);
  plans.start([&] { made.release(); });
  std::latch begun(1), slow(1);
  EXPECT_FALSE(plans.made(1, [&]() -> PlanJob {
    return [&] {
      begun.count_down();
      slow.wait();
      return refusal("old");
    };
  }));
  begun.wait();
  const auto job = []() -> PlanJob { return [] { return refusal("new"); }; };
  EXPECT_FALSE(plans.made(2, job));
  slow.count_down();
  made.acquire();
  const auto value = plans.made(2, job);
  ASSERT_TRUE(value);
  EXPECT_EQ(value->refused, "new");
}

}  // namespace
}  // namespace drystone
