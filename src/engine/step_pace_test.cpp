#include "engine/step_pace.h"

#include <gtest/gtest.h>

#include <cmath>

namespace drystone {
namespace {

// Without anybody who writes, prompts are read as fast as the machine can.
TEST(StepPace, NobodyWaitsWhereNobodyWrites) {
  StepPace pace(1.6);
  EXPECT_TRUE(std::isinf(pace.time_for(3, 0)));
  EXPECT_EQ(pace.rows_in(pace.time_for(3, 0), 512), 512u);
  EXPECT_TRUE(std::isinf(StepPace(0).time_for(3, 4)));
}

// A step beside writers takes at most `stall` times as long as theirs alone.
TEST(StepPace, PromptsTakeTheirShareOfAStep) {
  StepPace pace(1.5);
  pace.measure(0.100, 8, 0);
  pace.measure(1.000, 500, 500);  // 2 ms a row
  const double time_s = pace.time_for(1, 8);
  EXPECT_DOUBLE_EQ(time_s, 0.05);
  EXPECT_EQ(pace.rows_in(time_s, 512), 25u);
  EXPECT_EQ(pace.rows_in(time_s, 10), 10u);
  EXPECT_GT(pace.rows_in(0, 512), 0u) << "a prompt always gets on";
}

// One slow step must be felt in the next one, or a burst of them becomes a gap.
TEST(StepPace, SlowRowsAreBelievedAtOnce) {
  StepPace pace(1.5);
  pace.measure(0.100, 8, 0);
  pace.measure(0.500, 500, 500);
  const auto before = pace.rows_in(0.05, 512);
  pace.measure(0.200, 18, 10);  // 10 ms a row
  const auto after = pace.rows_in(0.05, 512);
  EXPECT_LT(after * 4, before);
  pace.measure(0.101, 18, 10);
  EXPECT_LT(pace.rows_in(0.05, 512), after * 2) << "and quick ones only slowly";
}

// A pace learned beside one who writes would starve prompts beside eight.
TEST(StepPace, MoreWritersAreMeasuredAnew) {
  StepPace pace(2.0);
  EXPECT_TRUE(pace.wants_measure(1));
  EXPECT_FALSE(pace.wants_measure(0)) << "nobody minds";
  pace.measure(0.020, 1, 0);
  EXPECT_FALSE(pace.wants_measure(1));
  EXPECT_TRUE(pace.wants_measure(2));
  pace.measure(0.080, 8, 0);
  EXPECT_DOUBLE_EQ(pace.time_for(1, 8), 0.080) << "what fewer took counts no more";
  EXPECT_FALSE(pace.wants_measure(12));
  EXPECT_TRUE(pace.wants_measure(13));
  EXPECT_FALSE(StepPace(0).wants_measure(13));
}

// Two rows in one step and three in the next are faster than two in each.
TEST(StepPace, WhatIsLeftOfARowIsGivenLater) {
  StepPace pace(2.0);
  pace.measure(0.100, 8, 0);
  pace.measure(4.000, 100, 100);  // 40 ms a row
  std::uint32_t rows = 0;
  for (int step = 0; step < 10; ++step) rows += pace.rows_in(pace.time_for(1, 8), 512);
  EXPECT_EQ(rows, 25u);
}

// Where many wait to read for each that writes, the writers bear more.
TEST(StepPace, ACrowdOfReadersStretchesAStep) {
  StepPace pace(1.5);
  pace.measure(0.100, 1, 0);
  EXPECT_GT(pace.time_for(3, 1), 4 * pace.time_for(1, 1));
  EXPECT_EQ(pace.time_for(100, 1), pace.time_for(1000, 1)) << "within bounds";
}

}  // namespace
}  // namespace drystone
