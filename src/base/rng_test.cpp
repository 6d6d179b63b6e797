#include "base/rng.h"

#include <gtest/gtest.h>

#include <cmath>

namespace drystone {
namespace {

// Goldens name a seed: if the stream of a seed ever changed, every model made from it would
// silently be another one.
TEST(Rng, StreamOfASeedNeverChanges) {
  // splitmix64 from 0 gives e220a8397b1dcdaf 6e789e6aa1b965f4 06c45d188009454f f88bb8a8724c81ec,
  // the published vector; the first output of xoshiro256** on that state is rotl(s1 * 5, 7) * 9.
  Rng rng(0);
  EXPECT_EQ(rng.next(), 0x99ec5f36cb75f2b4u);
  EXPECT_EQ(rng.next(), 0xbf6e1f784956452au);
  EXPECT_EQ(rng.next(), 0x1a5f849d4933e6e0u);
  EXPECT_EQ(rng.next(), 0x6aa594f1262d2d2cu);
}

// A sampler that could see 1.0 would fall off the end of its cumulative sums.
TEST(Rng, UniformStaysBelowOne) {
  Rng rng(1);
  double sum = 0;
  constexpr int kDraws = 200'000;
  for (int i = 0; i < kDraws; ++i) {
    const float x = rng.uniform();
    ASSERT_GE(x, 0.0f);
    ASSERT_LT(x, 1.0f);
    sum += x;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 0.004);  // 6 sigma of the mean
}

// Random weights stand for trained ones in benchmarks and error figures, so their spread must be
// what was asked for.
TEST(Rng, NormalHasTheMomentsOfANormal) {
  Rng rng(2);
  constexpr int kDraws = 400'000;
  double m1 = 0, m2 = 0, m4 = 0;
  int beyond_two = 0, beyond_three = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = rng.normal();
    m1 += x;
    m2 += x * x;
    m4 += x * x * x * x;
    beyond_two += std::abs(x) > 2;
    beyond_three += std::abs(x) > 3;
  }
  EXPECT_NEAR(m1 / kDraws, 0, 0.01);
  EXPECT_NEAR(m2 / kDraws, 1, 0.015);
  EXPECT_NEAR(m4 / kDraws, 3, 0.1);
  EXPECT_NEAR(beyond_two / double{kDraws}, 0.0455, 0.002);
  EXPECT_NEAR(beyond_three / double{kDraws}, 0.0027, 0.0005);
}

// The same weights from the same seed on every machine need the same floats, to the bit (values by
// a second implementation of the definition).
TEST(Rng, NormalNeverChanges) {
  Rng rng(42);
  EXPECT_EQ(rng.normal(), -0x1.0b17460000000p+0f);
  EXPECT_EQ(rng.normal(), -0x1.0e2ca40000000p-2f);
  EXPECT_EQ(rng.normal(), 0x1.175d580000000p+1f);
}

// Picks must be able to reach every value and nothing beyond.
TEST(Rng, BelowReachesExactlyItsRange) {
  Rng rng(3);
  std::array<int, 7> seen{};
  for (int i = 0; i < 7'000; ++i) {
    const auto pick = rng.below(7);
    ASSERT_LT(pick, 7u);
    ++seen[pick];
  }
  for (int count : seen) EXPECT_NEAR(count, 1000, 200);
}

}  // namespace
}  // namespace drystone
