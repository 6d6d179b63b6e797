#include "compute/thread_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <utility>

namespace drystone {
namespace {

constexpr std::chrono::milliseconds kUntilParked{20};  // workers spin for a millisecond at most

// A part that is left out, or done twice, is a wrong row of some product.
TEST(ThreadPool, RangesCoverEveryValueOnceAndBeginAtWholeGrains) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    for (const std::int64_t count : {1, 2, 7, 16, 17, 31, 32, 33, 1000})
      for (const std::int64_t grain : {1, 2, 16, 33, 2000}) {
        std::vector<std::atomic<int>> done(static_cast<std::size_t>(count));
        std::atomic<int> calls{0};
        pool.for_ranges(count, grain, [&](std::int64_t begin, std::int64_t end) {
          ++calls;
          EXPECT_EQ(begin % grain, 0);
          EXPECT_TRUE(end % grain == 0 || end == count) << end;
          EXPECT_LT(begin, end);
          for (std::int64_t i = begin; i < end; ++i) ++done[static_cast<std::size_t>(i)];
        });
        for (const auto& times : done)
          ASSERT_EQ(times, 1) << count << " in grains of " << grain << ", " << threads;
        EXPECT_LE(calls, threads);
      }
  }
}

TEST(ThreadPool, EachThreadIsCalledOnceWithItsNumber) {
  ThreadPool pool(4);
  EXPECT_EQ(pool.threads(), 4);
  std::vector<std::atomic<int>> calls(4);
  std::vector<std::thread::id> ids(4);
  for (int run = 1; run <= 1000; ++run) {
    pool.run([&](int thread) {
      ++calls[static_cast<std::size_t>(thread)];
      ids[static_cast<std::size_t>(thread)] = std::this_thread::get_id();
    });
    for (const auto& count : calls) ASSERT_EQ(count, run) << "run() came back too early";
  }
  EXPECT_EQ(ids[0], std::this_thread::get_id());
  EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), 4u);
}

// Between two requests everybody sleeps; a wake-up that gets lost would hang the next request.
TEST(ThreadPool, ParkedThreadsWake) {
  ThreadPool pool(3);
  for (int run = 0; run < 5; ++run) {
    std::this_thread::sleep_for(kUntilParked);
    std::atomic<int> calls{0};
    pool.run([&](int) { ++calls; });
    EXPECT_EQ(calls, 3);
  }
}

// Work ends and the next begins just when workers go to sleep.
TEST(ThreadPool, WorkThatComesWhileThreadsParkIsDone) {
  ThreadPool pool(3);
  for (int run = 0; run < 300; ++run) {
    std::this_thread::sleep_for(std::chrono::microseconds(run * 7));
    std::atomic<int> calls{0};
    pool.run([&](int) { ++calls; });
    ASSERT_EQ(calls, 3);
  }
}

TEST(ThreadPool, EndsWhileThreadsSpinOrSleep) {
  for (const auto wait : {std::chrono::milliseconds(0), kUntilParked})
    for (const bool used : {false, true}) {
      ThreadPool pool(4);
      if (used) pool.run([](int) {});
      std::this_thread::sleep_for(wait);
    }
}

}  // namespace
}  // namespace drystone
