#include "cluster/plan/ledger.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace drystone {
namespace {

// Two placements are made at once by keepers that do not know of each other: the second must fail
// here, not in the kernel's out-of-memory killer.
TEST(Ledger, TwoPlacementsCannotHaveTheSameMemory) {
  Ledger ledger("atlas", 10 * kGiB);
  ASSERT_TRUE(ledger.reserve("llama", {1, "a"}, 6 * kGiB));
  const auto second = ledger.reserve("qwen", {1, "b"}, 6 * kGiB);
  ASSERT_TRUE(second.is(Errc::out_of_memory));
  EXPECT_EQ(second.error().message(),
            "cannot reserve memory for qwen on atlas: needs 6.00 GiB, free 4.00 GiB of 10.0 GiB "
            "(llama 6.00 GiB). What is loaded is unaffected");
  EXPECT_EQ(ledger.reserved(), 6 * kGiB);
  EXPECT_TRUE(ledger.reserve("qwen", {1, "b"}, 4 * kGiB));
  EXPECT_EQ(ledger.free(), 0u);
}

// The next epoch of an instance takes the place of the one before.
TEST(Ledger, AHigherEpochReplacesALowerOne) {
  Ledger ledger("atlas", 10 * kGiB);
  ASSERT_TRUE(ledger.reserve("llama", {1, "a"}, 6 * kGiB));
  ASSERT_TRUE(ledger.reserve("llama", {2, "a"}, 8 * kGiB));
  EXPECT_EQ(ledger.reserved(), 8 * kGiB);
  EXPECT_TRUE(ledger.reserve("llama", {1, "a"}, kGiB).is(Errc::unavailable));
  EXPECT_EQ(ledger.reserved(), 8 * kGiB);
}

// A late goodbye of an old epoch must not free the memory of the new one.
TEST(Ledger, AnOldEpochReleasesNothingOfANewOne) {
  Ledger ledger("atlas", 10 * kGiB);
  ASSERT_TRUE(ledger.reserve("llama", {2, "a"}, 6 * kGiB));
  EXPECT_FALSE(ledger.release("llama", {1, "z"}));
  EXPECT_EQ(ledger.reserved(), 6 * kGiB);
  EXPECT_TRUE(ledger.release("llama", {2, "a"}));
  EXPECT_FALSE(ledger.release("llama", {2, "a"}));
  EXPECT_EQ(ledger.reserved(), 0u);
}

// The system may take memory away: then nothing is given out, and nothing underflows.
TEST(Ledger, CapacityMayFallBelowWhatIsReserved) {
  Ledger ledger("atlas", 10 * kGiB);
  ASSERT_TRUE(ledger.reserve("llama", {1, "a"}, 6 * kGiB));
  ledger.set_capacity(4 * kGiB);
  EXPECT_EQ(ledger.free(), 0u);
  EXPECT_TRUE(ledger.reserve("qwen", {1, "a"}, 1).is(Errc::out_of_memory));
  EXPECT_TRUE(ledger.reserve("llama", {2, "a"}, 4 * kGiB));
}

// What is held already is not refused because others have taken the rest of the machine.
TEST(Ledger, WhatIsHeldIsKeptWhateverTheCapacity) {
  Ledger ledger("atlas", 10 * kGiB);
  EXPECT_FALSE(ledger.keep("llama", {1, "a"}, 1)) << "it has none";
  ASSERT_TRUE(ledger.reserve("llama", {1, "a"}, 6 * kGiB));
  ledger.set_capacity(4 * kGiB);
  EXPECT_TRUE(ledger.reserve("llama", {2, "a"}, 6 * kGiB).is(Errc::out_of_memory));
  EXPECT_TRUE(ledger.keep("llama", {2, "a"}, 6 * kGiB));
  EXPECT_FALSE(ledger.keep("llama", {1, "a"}, 6 * kGiB)) << "an epoch that is over";
  EXPECT_FALSE(ledger.keep("llama", {3, "a"}, 6 * kGiB + 1));
  EXPECT_FALSE(ledger.release("llama", {1, "a"}));
  EXPECT_EQ(ledger.reserved(), 6 * kGiB);
}

// Whatever comes in which order: never more than there is.
TEST(Ledger, RandomReservationsNeverOverbook) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    Ledger ledger("atlas", 1000);
    for (int i = 0; i < 500; ++i) {
      const std::string instance = "m" + std::to_string(rng.below(5));
      const Epoch epoch{rng.below(4), "k" + std::to_string(rng.below(3))};
      if (rng.below(2) == 0)
        (void)ledger.reserve(instance, epoch, rng.below(600));
      else
        (void)ledger.release(instance, epoch);
      ASSERT_LE(ledger.reserved(), 1000u) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace drystone
