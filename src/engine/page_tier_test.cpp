#include "engine/page_tier.h"

#include <gtest/gtest.h>

#include "engine/test_tier.h"

namespace drystone {
namespace {

constexpr Bytes kPageBytes = 100, kSlotBytes = 4096;

struct Tier {
  explicit Tier(std::uint32_t slots) {
    auto made = PageTier::create(stage, std::make_unique<TestFile>(disk), slots * kSlotBytes);
    CHECK(made, made.error().message());
    tier = *std::move(made);
  }
  ~Tier() { disk.hold(false); }

  // Pages are chains of one page here: `row` is what it holds, its bytes and its prefix.
  static PageKey key(const PageRow& row, std::string_view salt = "") {
    return {kNoPrefix, {&row, 1}, salt};
  }
  bool store(PageRow row, std::string_view salt = "") {
    std::ranges::fill(stage.page(0), static_cast<std::byte>(row));
    return tier->store(row, key(row, salt), 0);
  }
  // What came back is right, or nothing did.
  bool restore(PageRow row, std::string_view salt = "") {
    std::ranges::fill(stage.page(1), std::byte{0xee});
    const auto prefix = tier->restore(key(row, salt), 1);
    const std::byte expected = prefix ? static_cast<std::byte>(row) : std::byte{0xee};
    EXPECT_EQ(stage.page(1), std::vector<std::byte>(kPageBytes, expected)) << row;
    EXPECT_TRUE(!prefix || *prefix == row) << row;
    return prefix.has_value();
  }

  TestPages stage{2, 1, kPageBytes};
  TestDisk disk;
  std::unique_ptr<PageTier> tier;
};

TEST(PageTier, GivesBackWhatWasStored) {
  Tier tier(4);
  EXPECT_TRUE(tier.store(7));
  EXPECT_TRUE(tier.store(8, "salt"));
  for (const bool written : {false, true}) {  // from the queue or from the file
    if (written) tier.tier->flush();
    EXPECT_TRUE(tier.restore(7));
    EXPECT_TRUE(tier.restore(8, "salt"));
    EXPECT_FALSE(tier.restore(8)) << "it is somebody else's";
    EXPECT_FALSE(tier.restore(9));
  }
  EXPECT_EQ(tier.tier->counts().stored, 2u);
  EXPECT_EQ(tier.tier->counts().restored, 4u);
}

// The disk belongs to others too.
TEST(PageTier, NeverGrowsBeyondItsBound) {
  Tier tier(3);
  for (PageRow row = 1; row <= 5; ++row) {
    EXPECT_TRUE(tier.store(row));
    tier.tier->flush();
    EXPECT_EQ(tier.restore(2), row >= 2);  // wanted again and again
  }
  EXPECT_LE(tier.disk.size(), 3 * kSlotBytes);
  EXPECT_EQ(tier.tier->counts().slots_in_use, 3u);
  EXPECT_FALSE(tier.restore(1));
  EXPECT_TRUE(tier.restore(2));
  EXPECT_FALSE(tier.restore(3));
  EXPECT_TRUE(tier.restore(4));
  EXPECT_TRUE(tier.restore(5));
}

// A page that comes and goes is written once.
TEST(PageTier, StoresAPageThatItHoldsWithoutWriting) {
  Tier tier(2);
  EXPECT_TRUE(tier.store(1));
  EXPECT_TRUE(tier.store(2));
  EXPECT_TRUE(tier.store(1));
  tier.tier->flush();
  EXPECT_EQ(tier.disk.writes, 2u);
  EXPECT_TRUE(tier.store(3));
  EXPECT_TRUE(tier.restore(1)) << "wanted later than the other one";
  EXPECT_FALSE(tier.restore(2));
}

// Steps must not wait for a disk that hangs.
TEST(PageTier, DropsPagesWhenTheDiskIsTooSlow) {
  Tier tier(1000);
  tier.disk.hold(true);
  PageRow row = 1;
  while (tier.store(row)) ASSERT_LE(row++, 256u);
  EXPECT_EQ(tier.tier->counts().dropped, 1u);
  EXPECT_FALSE(tier.tier->wait_for_room(std::chrono::milliseconds(1)));
  EXPECT_TRUE(tier.restore(1)) << "still in memory";
  EXPECT_FALSE(tier.restore(row));
  tier.disk.hold(false);
  tier.tier->flush();
  EXPECT_TRUE(tier.tier->has_room());
  EXPECT_TRUE(tier.store(row));
}

// Slots whose pages are on their way are nobody else's.
TEST(PageTier, DropsAPageWhenAllSlotsAreBeingWritten) {
  Tier tier(2);
  tier.disk.hold(true);
  EXPECT_TRUE(tier.store(1));
  EXPECT_TRUE(tier.store(2));
  EXPECT_FALSE(tier.store(3));
  EXPECT_TRUE(tier.restore(1));
  EXPECT_TRUE(tier.restore(2));
}

TEST(PageTier, ForgetsWhatAFullDiskDidNotTake) {
  Tier tier(4);
  tier.disk.bytes_max = kSlotBytes + kPageBytes;  // two pages
  for (PageRow row = 1; row <= 4; ++row) EXPECT_TRUE(tier.store(row));
  tier.tier->flush();
  EXPECT_EQ(tier.tier->counts().failed, 2u);
  EXPECT_EQ(tier.tier->counts().slots_in_use, 2u);
  for (PageRow row = 1; row <= 4; ++row) EXPECT_EQ(tier.restore(row), row <= 2) << row;
  tier.disk.bytes_max = ~Bytes{0};
  EXPECT_TRUE(tier.store(4));
  tier.tier->flush();
  EXPECT_TRUE(tier.restore(4));
}

// A wrong bit in the keys would be a wrong answer that nobody notices.
TEST(PageTier, APageWithAWrongBitIsAMiss) {
  for (const Bytes at : {Bytes{0}, kPageBytes / 2, kPageBytes - 1}) {
    Tier tier(4);
    EXPECT_TRUE(tier.store(1));
    tier.tier->flush();
    tier.disk.flip_bit(at);
    EXPECT_FALSE(tier.restore(1)) << at;
    EXPECT_FALSE(tier.tier->holds(1));
    EXPECT_EQ(tier.tier->counts().failed, 1u);
  }
}

TEST(PageTier, APageThatCannotBeReadIsAMiss) {
  Tier tier(4);
  EXPECT_TRUE(tier.store(1));
  tier.tier->flush();
  tier.disk.broken = true;
  EXPECT_FALSE(tier.restore(1));
  tier.disk.broken = false;
  EXPECT_FALSE(tier.restore(1)) << "once is enough";
}

TEST(PageTier, RefusesABoundThatHoldsNoPage) {
  TestPages stage(1, 1, 5000);
  TestDisk disk;
  const auto tier = PageTier::create(stage, std::make_unique<TestFile>(disk), 8000);
  ASSERT_TRUE(tier.is(Errc::limit));
  EXPECT_NE(tier.error().message().find("8.00 KiB"), std::string::npos) << tier.error().message();
}

}  // namespace
}  // namespace drystone
