#include "engine/restore_pace.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

// A cache that is slower than computing would be no cache.
TEST(RestorePace, LeavesASlowDiskAloneAndTriesItAgain) {
  RestorePace pace;
  for (std::size_t i = 0; i < RestorePace::kKept; ++i) {
    EXPECT_TRUE(pace.worth(0.1)) << i;
    pace.took(0.3);
  }
  EXPECT_TRUE(pace.worth(0.5)) << "computing takes longer still";
  EXPECT_TRUE(pace.worth(0)) << "nobody knows what computing takes";
  for (std::size_t i = 0; i < RestorePace::kSkipsMax; ++i) EXPECT_FALSE(pace.worth(0.1)) << i;
  EXPECT_TRUE(pace.worth(0.1));
}

TEST(RestorePace, OneFastPageIsEnough) {
  RestorePace pace;
  for (std::size_t i = 0; i < 2 * RestorePace::kKept; ++i) pace.took(i == 10 ? 0.01 : 1);
  EXPECT_TRUE(pace.worth(0.1));
}

}  // namespace
}  // namespace drystone
