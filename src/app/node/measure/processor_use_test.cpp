#include "app/node/measure/processor_use.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

constexpr const char* kStat = R"(cpu  100 1 50 9000 20 3 4 5 7 0
cpu0 50 0 25 4500 10 1 2 2 3 0
cpu1 50 1 25 4500 10 2 2 3 4 0
intr 12345 0 9
ctxt 5
)";

TEST(ProcessorUse, IsReadFromWhatTheSystemTells) {
  const auto times = parse_processor_times(kStat);
  ASSERT_TRUE(times);
  EXPECT_EQ(times->busy, 100u + 1 + 50 + 3 + 4 + 5);
  EXPECT_EQ(times->idle, 9020u);
  EXPECT_EQ(times->processors, 2u);
  for (const char* text : {"", "cpu", "cpu  1 2", "cpu0 1 2 3 4\n", "cpu  a b c d\ncpu0 1"})
    EXPECT_FALSE(parse_processor_times(text)) << text;
}

// Figures of a machine that does something else are of no use.
TEST(ProcessorUse, IdleIsNextToNothing) {
  const ProcessorTimes before{.busy = 1000, .idle = 5000, .processors = 2};
  const auto later = [&](std::uint64_t busy, std::uint64_t idle) {
    return ProcessorTimes{1000 + busy, 5000 + idle, 2};
  };
  EXPECT_TRUE(were_idle(before, later(10, 190)));
  EXPECT_FALSE(were_idle(before, later(100, 100))) << "one of two is busy";
  EXPECT_FALSE(were_idle(before, later(0, 0))) << "no time has passed";
  EXPECT_FALSE(were_idle(later(10, 10), before)) << "they began anew";
  EXPECT_TRUE(were_idle(std::nullopt, before)) << "not told";
}

}  // namespace
}  // namespace drystone
