#include "app/node/measure/best_time.h"

#include <gtest/gtest.h>

#include <vector>

#include "app/node/measure/test_clock.h"

namespace drystone {
namespace {

double best_of(std::vector<double> tries_s, int* done = nullptr) {
  TestClock clock;
  std::size_t next = 0;
  const double best =
      best_time_s(clock, [&] { clock.pass(tries_s[std::min(next++, tries_s.size() - 1)]); });
  if (done != nullptr) *done = static_cast<int>(next);
  return best;
}

// A node that slept for a moment in its only try took itself for 100 times slower, for good.
TEST(BestTime, APauseInOneTryChangesNothing) {
  EXPECT_NEAR(best_of({0.5, 0.001}), 0.001, 1e-9);
  EXPECT_NEAR(best_of({0.001, 0.5, 0.001}), 0.001, 1e-9);
  EXPECT_NEAR(best_of({3.0, 0.2, 0.2}), 0.2, 1e-9);
}

TEST(BestTime, EndsSoon) {
  int tries = 0;
  best_of({2.0}, &tries);
  EXPECT_EQ(tries, kSlowTries);
  best_of({0.01}, &tries);
  EXPECT_EQ(tries, kTriesMin);
  best_of({1e-7}, &tries);
  EXPECT_EQ(tries, kTriesMax);
}

}  // namespace
}  // namespace drystone
