#include "net/part_cursor.h"

#include <gtest/gtest.h>

#include <array>

#include "net/test_bytes.h"

namespace drystone {
namespace {

// One record for a header and its payload: half the calls of the system.
TEST(PartCursor, SmallPartsMeetInOnePieceAndLargeOnesStayWhereTheyAre) {
  const auto all = pattern(100, 1);
  const std::span<const std::byte> bytes(all);
  const std::array<std::span<const std::byte>, 5> parts = {
      bytes.first(0), bytes.first(10), bytes.subspan(10, 60), bytes.first(0), bytes.subspan(70)};
  PartCursor cursor(parts);
  std::vector<std::byte> staging, joined;
  staging.reserve(20);
  const auto take = [&] {
    const auto piece = cursor.take(20, staging);
    joined.insert(joined.end(), piece.begin(), piece.end());
    return piece;
  };
  EXPECT_EQ(take().data(), staging.data());
  EXPECT_EQ(take().data(), all.data() + 20);
  EXPECT_EQ(take().data(), all.data() + 40);
  EXPECT_EQ(take().data(), staging.data());
  EXPECT_EQ(take().data(), all.data() + 80);
  EXPECT_TRUE(cursor.done());
  EXPECT_EQ(joined, all);
}

TEST(PartCursor, NothingIsDoneAtOnce) {
  EXPECT_TRUE(PartCursor({}).done());
  const std::array<std::span<const std::byte>, 2> empty = {};
  EXPECT_TRUE(PartCursor(empty).done());
}

}  // namespace
}  // namespace drystone
