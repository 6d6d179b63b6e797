#include "compute/work_ranges.h"

#include <gtest/gtest.h>

#include "compute/thread_pool.h"

namespace drystone {
namespace {

TEST(WorkRanges, EachUnitIsTakenOnceByAnyNumberOfThreads) {
  for (const int threads : {1, 2, 3, 8})
    for (const std::uint32_t count : {0u, 1u, 2u, 7u, 64u, 5000u}) {
      ThreadPool pool(threads);
      WorkRanges ranges(threads);
      ranges.reset(count);
      std::vector<std::atomic<int>> taken(count);
      pool.run([&](int thread) {
        while (const auto part = ranges.take(thread))
          for (std::uint32_t i = part->begin; i < part->end; ++i) ++taken[i];
      });
      for (const auto& times : taken) ASSERT_EQ(times, 1) << threads << " threads, " << count;
    }
}

TEST(WorkRanges, AThreadWalksThroughItsOwnRangeInOrder) {
  WorkRanges ranges(2);
  ranges.reset(100);
  std::uint32_t next = 50;
  while (next < 100) {
    const auto part = ranges.take(1);
    ASSERT_TRUE(part);
    ASSERT_EQ(part->begin, next);
    ASSERT_GT(part->end, part->begin);
    ASSERT_EQ(part->ahead, 100u);
    next = part->end;
  }
}

TEST(WorkRanges, WhatASleepingThreadHasIsTakenFromItsEnd) {
  WorkRanges ranges(2);
  ranges.reset(100);
  const auto held = ranges.take(1);  // and then this thread sleeps
  std::uint32_t done = 0, lowest = 100;
  while (const auto part = ranges.take(0)) {
    done += part->end - part->begin;
    if (part->begin >= 50) {
      EXPECT_EQ(part->end, lowest);
      lowest = part->begin;
    }
  }
  EXPECT_EQ(lowest, held->end);
  EXPECT_EQ(done, 100 - (held->end - held->begin));
}

}  // namespace
}  // namespace drystone
