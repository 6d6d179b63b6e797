#include <gtest/gtest.h>

#include "cluster/instance/head_aim.h"
#include "cluster/instance/test_instances.h"

namespace drystone {
namespace {

// What fails, and how often it is tried.

struct InstanceRetryPlans : PlansAtOnceAndLater {};
INSTANTIATE_TEST_SUITE_P(, InstanceRetryPlans, ::testing::Bool(), plans_name);

// A disk that is full for a moment: the same node is tried again, after a wait.
TEST(InstanceRetry, ALoadThatFailedIsTriedAgain) {
  TestCluster cluster(8, {"a"}, kLarge);
  cluster.fail_loads("a", 3);
  cluster.want(kWanted);
  cluster.run(4);
  EXPECT_EQ(cluster.status("a", "llama").phase, InstancePhase::failed);
  EXPECT_EQ(cluster.status("a", "llama").message, "a: the disk is full");
  ASSERT_TRUE(cluster.gets_ready("llama", 60));
  EXPECT_EQ(count(cluster.trace(), "a loads llama"), 4u);
}

// A node that cannot load is left out where another can.
TEST(InstanceRetry, ANodeThatKeepsFailingIsLeftOut) {
  TestCluster cluster(9, {"a", "b"}, kLarge);
  cluster.fail_loads("a", 1000);
  cluster.want(kWanted);
  ASSERT_TRUE(cluster.gets_ready("llama", 60));
  EXPECT_EQ(cluster.status("b", "llama").placement->head, "b");
  EXPECT_EQ(count(cluster.trace(), "a loads llama"), 2u);
}

// Those whose links end with it are lost too, and heard before it: they are not to blame.
TEST(InstanceRetry, TheNeighboursOfOneThatKeepsFailingAreNotLeftOut) {
  TestCluster cluster(9, {"a", "b", "c"}, kSmall);
  cluster.fail_loads("b", 1000);
  DesiredInstance desired = two_stages();
  desired.head = "a";
  cluster.want(desired);
  ASSERT_TRUE(cluster.gets_ready("llama", 60));
  const auto placed = cluster.status("a", "llama").placement;
  EXPECT_TRUE(placed->part_of("a") != nullptr && placed->part_of("c") != nullptr);
  EXPECT_LE(count(cluster.trace(), "b loads llama"), 2u);
}

// What is said is the cause, not what followed from it.
TEST(InstanceRetry, TheCauseOfAFailureIsTold) {
  TestCluster cluster(9, {"a", "b"}, kSmall);
  cluster.fail_loads("b", 100000);
  cluster.want(two_stages());
  cluster.run(600);
  EXPECT_TRUE(cluster.status("a", "llama").gave_up);
  EXPECT_EQ(cluster.status("a", "llama").message,
            "b: the disk is full (tried 8 times; `drystone load llama` tries again)");
}

// For ever broken is not for ever busy: it is given up, and that stands until somebody asks again,
// whoever starts afresh meanwhile.
TEST_P(InstanceRetryPlans, HopelessLoadsAreGivenUpUntilSomebodyAsks) {
  TestCluster cluster(10, {"a"}, kLarge, GetParam());
  cluster.fail_loads("a", 100000);
  cluster.want(kWanted);
  cluster.run(600);
  EXPECT_EQ(count(cluster.trace(), "a loads llama"), 8u);
  for (int starts = 0; starts < 2; ++starts) {
    const InstanceStatus failed = cluster.status("a", "llama");
    EXPECT_EQ(failed.phase, InstancePhase::failed);
    EXPECT_TRUE(failed.gave_up);
    EXPECT_EQ(aim_of(failed).refused, Errc::unavailable);
    EXPECT_EQ(failed.message,
              "a: the disk is full (tried 8 times; `drystone load llama` tries again)");
    cluster.kill("a");
    cluster.start("a");
    cluster.run(60);
    EXPECT_EQ(count(cluster.trace(), "a loads llama"), 0u);
  }
  cluster.fail_loads("a", 0);
  cluster.want(kWanted);
  ASSERT_TRUE(cluster.gets_ready("llama", 6));
  EXPECT_EQ(cluster.disagreement(), "");
}

// What has worked is worth any number of tries.
TEST(InstanceRetry, WhatWasReadyOnceIsNeverGivenUp) {
  TestCluster cluster(23, {"a"}, kLarge);
  cluster.want(kWanted);
  ASSERT_TRUE(cluster.gets_ready());
  cluster.fail_loads("a", 100000);
  cluster.break_part("a", "llama");
  cluster.run(1200);
  EXPECT_GT(count(cluster.trace(), "a loads llama"), 10u);
  EXPECT_FALSE(cluster.status("a", "llama").gave_up);
  cluster.fail_loads("a", 0);
  EXPECT_TRUE(cluster.gets_ready("llama", 70));
}

// A person who asks again does not wait for what the cluster has decided for itself.
TEST_P(InstanceRetryPlans, AskingAgainAfterAFailureBeginsAtOnce) {
  TestCluster cluster(24, {"a"}, kLarge, GetParam());
  cluster.fail_loads("a", 6);
  cluster.want(kWanted);
  cluster.run(50);  // 1, 2, 4, 8, 16 s between them; then 32 s
  ASSERT_EQ(count(cluster.trace(), "a loads llama"), 6u);
  cluster.want(kWanted);
  EXPECT_FALSE(cluster.status("a", "llama").answered);
  ASSERT_TRUE(cluster.gets_ready("llama", 7));
  EXPECT_TRUE(cluster.status("a", "llama").answered);
}

// A part that breaks (a pipe error) comes back at once, with the weights that are there.
TEST(InstanceRetry, ABrokenPartComesBackAtOnce) {
  TestCluster cluster(11, {"a", "b"}, kLarge);
  cluster.want(two_stages());
  ASSERT_TRUE(cluster.gets_ready());
  cluster.run(15);
  cluster.trace();
  cluster.break_part("b", "llama");
  cluster.run(1);
  ASSERT_TRUE(cluster.gets_ready("llama", 3));
  const std::string trace = cluster.trace();
  EXPECT_EQ(count(trace, " keeps llama"), 2u) << trace;
  EXPECT_EQ(count(trace, " loads llama"), 0u) << trace;
}

// Nobody has the file.
TEST(InstanceRetry, SaysThatNobodyHasTheModel) {
  TestCluster cluster(18);
  cluster.add_node("a", kLarge);
  cluster.want(kWanted);
  cluster.run(5);
  EXPECT_EQ(cluster.status("a", "llama").phase, InstancePhase::waiting);
  EXPECT_EQ(cluster.status("a", "llama").message, "no node has the file of llama");
}

}  // namespace
}  // namespace drystone
