#include "app/load/processors.h"

#include <gtest/gtest.h>

#include <thread>

#include "app/load/load_engine.h"

#ifdef __linux__
#include <sched.h>
#endif

namespace drystone {
namespace {

#ifdef __linux__
// A node that is bound to one core gains nothing from more threads than that: they would wait for
// each other.
TEST(Processors, WhoIsBoundToOneCoreHasOne) {
  int bound = 0, threads = 0;
  std::thread([&] {
    cpu_set_t set;
    ASSERT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
    int first = 0;
    while (!CPU_ISSET(first, &set)) ++first;
    CPU_ZERO(&set);
    CPU_SET(first, &set);
    ASSERT_EQ(::sched_setaffinity(0, sizeof set, &set), 0);
    bound = usable_processors();
    threads = threads_or_default(0);
  }).join();
  EXPECT_EQ(bound, 1);
  EXPECT_EQ(threads, 1);
}
#endif

TEST(Processors, WhatIsAskedForIsTaken) { EXPECT_EQ(threads_or_default(7), 7); }

TEST(Processors, AQuotaIsRoundedUp) {
  EXPECT_EQ(quota_of("100000 100000"), 1);
  EXPECT_EQ(quota_of("150000 100000\n"), 2);
  EXPECT_EQ(quota_of("1000 100000"), 1);
  for (const char* none : {"max 100000", "", "100000", "100000 0", "0 100000", "-1 100000", "1 x"})
    EXPECT_EQ(quota_of(none), std::nullopt) << none;
}

}  // namespace
}  // namespace drystone
