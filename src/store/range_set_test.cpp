#include "store/range_set.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace drystone {
namespace {

using Ranges = std::vector<ByteRange>;

TEST(RangeSet, RangesThatTouchBecomeOne) {
  RangeSet set;
  set.add({10, 20});
  set.add({30, 40});
  set.add({20, 30});
  set.add({5, 5});
  EXPECT_EQ(set.ranges(), (Ranges{{10, 40}}));
  EXPECT_EQ(set.size(), 30u);
}

TEST(RangeSet, SaysWhatIsMissing) {
  RangeSet set;
  set.add({10, 20});
  set.add({30, 40});
  EXPECT_EQ(set.missing({0, 50}), (Ranges{{0, 10}, {20, 30}, {40, 50}}));
  EXPECT_EQ(set.missing({15, 35}), (Ranges{{20, 30}}));
  EXPECT_EQ(set.missing({12, 18}), Ranges{});
  EXPECT_TRUE(set.contains({30, 40}));
  EXPECT_FALSE(set.contains({30, 41}));
}

// Against a plain list of bytes.
TEST(RangeSet, AgreesWithSingleBytes) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    RangeSet set;
    std::vector<bool> bytes(64, false);
    for (int i = 0; i < 12; ++i) {
      const Bytes begin = rng.below(64), end = begin + rng.below(65 - begin);
      set.add({begin, end});
      for (Bytes at = begin; at < end; ++at) bytes[at] = true;
      const Bytes from = rng.below(64), to = from + rng.below(65 - from);
      std::vector<bool> gaps(64, false);
      for (const ByteRange& gap : set.missing({from, to}))
        for (Bytes at = gap.begin; at < gap.end; ++at) gaps[at] = true;
      for (Bytes at = 0; at < 64; ++at)
        ASSERT_EQ(gaps[at], at >= from && at < to && !bytes[at]) << "seed " << seed;
    }
    for (std::size_t i = 1; i < set.ranges().size(); ++i)
      ASSERT_LT(set.ranges()[i - 1].end, set.ranges()[i].begin) << "seed " << seed;
  }
}

}  // namespace
}  // namespace drystone
