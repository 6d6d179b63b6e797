#include "cluster/instance/instance_core.h"

#include <gtest/gtest.h>

#include "cluster/instance/test_instances.h"

namespace drystone {
namespace {

struct InstanceCorePlans : PlansAtOnceAndLater {};
INSTANTIATE_TEST_SUITE_P(, InstanceCorePlans, ::testing::Bool(), plans_name);

// The common life: asked for, placed, loaded, ready; and gone when nobody wants it.
TEST(InstanceCore, LoadsWhatIsWantedAndDropsWhatIsNot) {
  TestCluster cluster(1, {"a", "b"}, kSmall);
  cluster.want(kWanted);
  ASSERT_TRUE(cluster.gets_ready());
  EXPECT_EQ(cluster.disagreement(), "");
  EXPECT_EQ(cluster.status("b", "llama").placement->stages(), 2u);
  EXPECT_EQ(cluster.trace(),
            "0.0 a starts\n0.0 b starts\n"
            "5.5 llama epoch 1 by a: a 0..10 b 10..22\n"
            "5.5 a loads llama epoch 1\n"
            "6.0 b loads llama epoch 1\n");
  cluster.unwant("llama");
  cluster.run(15);
  EXPECT_EQ(cluster.trace(),
            "8.5 a drops llama epoch 1\n"
            "8.5 b drops llama epoch 1\n"
            "18.5 llama epoch 2 refused\n");
  EXPECT_EQ(cluster.disagreement(), "");
  EXPECT_TRUE(cluster.core("a").statuses().empty());
}

// A node is unplugged: within seconds the model stands on those that are left.
TEST(InstanceCore, PlacesAgainWhenANodeIsLost) {
  TestCluster cluster(1, {"a", "b", "c"}, kSmall);
  cluster.want(kWanted);
  ASSERT_TRUE(cluster.gets_ready());
  const Placement before = *cluster.status("a", "llama").placement;
  ASSERT_EQ(before.parts.size(), 2u);
  const std::string lost = before.parts[1].node;
  const double lost_at = cluster.now_s();
  cluster.kill(lost);
  cluster.run(3.5);
  const std::string left = lost == "c" ? "a" : "c";
  EXPECT_GT(cluster.status(left, "llama").placement->epoch, before.epoch) << cluster.trace();
  ASSERT_TRUE(cluster.gets_ready("llama", 10));
  EXPECT_LT(cluster.now_s() - lost_at, 10);
  EXPECT_EQ(cluster.status(left, "llama").placement->part_of(lost), nullptr);
  EXPECT_EQ(cluster.disagreement(), "");
}

// Who polls the state gives up where it says that it failed: while it is being replaced it does
// not.
TEST(InstanceCore, WhatIsLostIsLoadingUntilItIsReplaced) {
  TestCluster cluster(1, {"a", "b", "c"}, kSmall, /*plans_are_slow=*/true);
  cluster.want(kWanted);
  ASSERT_TRUE(cluster.gets_ready());
  const Placement before = *cluster.status("a", "llama").placement;
  const std::string lost = before.parts[1].node;
  const std::string left = lost == "c" ? "b" : "c";  // not the keeper: it only looks on
  cluster.kill(lost);
  bool seen = false;
  for (int i = 0; i < 30; ++i) {
    cluster.run(0.5);
    const InstanceStatus status = cluster.status(left, "llama");
    EXPECT_NE(status.phase, InstancePhase::failed) << status.message;
    if (status.message != lost + " is gone: it is placed anew") continue;
    seen = true;
    EXPECT_EQ(status.phase, InstancePhase::loading);
    EXPECT_EQ(status.parts.at(lost).phase, PartPhase::lost);
  }
  EXPECT_TRUE(seen) << cluster.trace();
  EXPECT_EQ(cluster.status(left, "llama").phase, InstancePhase::ready) << cluster.trace();
}

// Who reads that a node is dead waits for it; one that was removed never comes back.
TEST(InstanceCore, ASubstituteTellsDeadFromRemoved) {
  TestCluster cluster(1, {"a", "b", "c"}, kLarge);
  DesiredInstance desired = kWanted;
  desired.nodes = {"c"};
  cluster.want(desired);
  ASSERT_TRUE(cluster.gets_ready());
  cluster.kill("c");
  cluster.run(4);
  ASSERT_TRUE(cluster.gets_ready());
  EXPECT_EQ(cluster.status("b", "llama").message,
            "runs on a instead, because c is dead: alive are a, b");
  cluster.remove("c");
  EXPECT_EQ(cluster.status("b", "llama").message,
            "runs on a instead, because c was removed: alive are a, b");

  TestCluster other(1, {"a", "b", "c"}, kLarge);
  other.want(desired);
  ASSERT_TRUE(other.gets_ready());
  other.remove("c");
  other.run(4);
  ASSERT_TRUE(other.gets_ready());
  EXPECT_EQ(other.status("b", "llama").placement->degraded, "c was removed: alive are a, b");
}

// After a power cut the map still says what ran before: nothing runs until it is loaded again.
TEST(InstanceCore, WhatEndedWithItsProcessIsNotReady) {
  TestCluster cluster(3, {"a", "b"}, kSmall);
  cluster.want(kWanted);
  ASSERT_TRUE(cluster.gets_ready());
  cluster.kill("b");
  cluster.start("b");
  for (const char* asked : {"a", "b"}) {
    const InstanceStatus status = cluster.status(asked, "llama");
    EXPECT_EQ(status.phase, InstancePhase::loading) << asked;
    EXPECT_EQ(status.parts.at("b").phase, PartPhase::lost) << asked;
  }
  ASSERT_TRUE(cluster.gets_ready());
  EXPECT_EQ(cluster.disagreement(), "");
}

// The keeper itself may be the one that is lost.
TEST(InstanceCore, AnotherKeeperTakesOver) {
  TestCluster cluster(2, {"a", "b", "c"}, kSmall);
  cluster.want(kWanted);
  ASSERT_TRUE(cluster.gets_ready());
  ASSERT_TRUE(cluster.core("a").is_keeper());
  cluster.kill("a");
  cluster.run(4);
  EXPECT_TRUE(cluster.core("b").is_keeper());
  ASSERT_TRUE(cluster.gets_ready());
  cluster.unwant("llama");
  cluster.run(12);
  EXPECT_EQ(cluster.disagreement(), "");
}

// What was asked for is impossible: fewer nodes serve it meanwhile, and it comes back with the
// node.
TEST_P(InstanceCorePlans, FallsBackToFewerNodesAndReturns) {
  TestCluster cluster(3, {"a", "b"}, kLarge, GetParam());
  cluster.want(two_stages());
  ASSERT_TRUE(cluster.gets_ready());
  EXPECT_EQ(cluster.status("a", "llama").placement->stages(), 2u);
  cluster.kill("b");
  cluster.run(4);
  ASSERT_TRUE(cluster.gets_ready());
  const InstanceStatus substitute = cluster.status("a", "llama");
  EXPECT_EQ(substitute.placement->stages(), 1u);
  EXPECT_NE(substitute.message.find("that takes 2 nodes, and 1 can be used"), std::string::npos)
      << substitute.message;
  cluster.start("b");
  cluster.run(20);
  ASSERT_TRUE(cluster.gets_ready());
  EXPECT_EQ(cluster.status("a", "llama").placement->stages(), 2u);
  EXPECT_EQ(cluster.status("a", "llama").message, "");
  EXPECT_EQ(cluster.disagreement(), "");
}

// A keeper that stood still finds its own part lost before it hears that others have placed anew:
// what serves meanwhile must not be loaded again for that.
TEST_P(InstanceCorePlans, AThawedKeeperLeavesWhatServes) {
  TestCluster cluster(11, {"a", "b", "c"}, kLarge, GetParam());
  cluster.want(two_stages());
  ASSERT_TRUE(cluster.gets_ready());
  ASSERT_NE(cluster.status("b", "llama").placement->part_of("a"), nullptr);
  cluster.freeze("a");
  cluster.run(12);
  const Placement meanwhile = *cluster.status("b", "llama").placement;
  ASSERT_EQ(meanwhile.part_of("a"), nullptr);
  ASSERT_EQ(cluster.status("b", "llama").phase, InstancePhase::ready);
  cluster.thaw("a");
  cluster.run(30);
  EXPECT_EQ(cluster.status("a", "llama").placement->epoch, meanwhile.epoch) << cluster.trace();
  EXPECT_EQ(cluster.disagreement(), "");
}

// A substitute is replaced when the thawed node has been there for a while, not at once.
TEST_P(InstanceCorePlans, AThawedKeeperWaitsBeforeItReplacesASubstitute) {
  TestCluster cluster(12, {"a", "b"}, kLarge, GetParam());
  cluster.want(two_stages());
  ASSERT_TRUE(cluster.gets_ready());
  cluster.freeze("a");
  cluster.run(12);
  const Placement substitute = *cluster.status("b", "llama").placement;
  ASSERT_EQ(substitute.stages(), 1u);
  cluster.thaw("a");
  cluster.run(9);
  EXPECT_EQ(cluster.status("a", "llama").placement->epoch, substitute.epoch) << cluster.trace();
  cluster.run(10);
  EXPECT_EQ(cluster.status("a", "llama").placement->stages(), 2u) << cluster.trace();
  EXPECT_EQ(cluster.status("a", "llama").phase, InstancePhase::ready);
  EXPECT_EQ(cluster.disagreement(), "");
}

// Nothing can hold it: that is said, with figures, and ends when something can.
TEST(InstanceCore, RefusesWithFiguresUntilItFits) {
  TestCluster cluster(4, {"a", "b"}, kSmall);
  cluster.want(kWanted);
  ASSERT_TRUE(cluster.gets_ready());
  cluster.kill("b");
  cluster.run(5);
  const InstanceStatus refused = cluster.status("a", "llama");
  EXPECT_EQ(refused.phase, InstancePhase::refused);
  EXPECT_EQ(refused.message.find("cannot place llama: needs "), 0u) << refused.message;
  EXPECT_NE(refused.message.find("free 450 MiB (a 450 MiB)"), std::string::npos) << refused.message;
  EXPECT_EQ(cluster.disagreement(), "");
  cluster.start("b");
  EXPECT_TRUE(cluster.gets_ready("llama", 10));
}

// After a power cut the cluster comes back with what it served, also when machines start one by
// one, and does not squeeze it onto the first.
TEST(InstanceCore, ComesBackAfterAPowerCut) {
  TestCluster cluster(5, {"a", "b"}, kLarge);
  cluster.want(two_stages());
  ASSERT_TRUE(cluster.gets_ready());
  const Placement before = *cluster.status("a", "llama").placement;
  cluster.kill("a");
  cluster.kill("b");
  cluster.run(60);
  cluster.trace();
  cluster.start("a");
  cluster.run(10);
  cluster.start("b");
  ASSERT_TRUE(cluster.gets_ready());
  const std::string trace = cluster.trace();
  EXPECT_EQ(trace.find("substitute"), std::string::npos) << trace;
  Placement after = *cluster.status("a", "llama").placement;
  EXPECT_GT(after.epoch, before.epoch);
  after.epoch = before.epoch;
  EXPECT_EQ(after, before);
  EXPECT_EQ(cluster.disagreement(), "");
}

// ... and if one of them never comes back, the others go on without it after a while.
TEST(InstanceCore, DoesNotWaitForEverForWhoNeverStarts) {
  TestCluster cluster(6, {"a", "b"}, kLarge);
  cluster.want(two_stages());
  ASSERT_TRUE(cluster.gets_ready());
  cluster.kill("a");
  cluster.kill("b");
  cluster.start("b");
  cluster.run(15);
  EXPECT_NE(cluster.status("b", "llama").phase, InstancePhase::ready);
  EXPECT_TRUE(cluster.gets_ready());
}

// A process that restarts so fast that nobody missed it has lost its part all the same.
TEST(InstanceCore, AnUnnoticedRestartLoadsAgain) {
  TestCluster cluster(7, {"a", "b"}, kLarge);
  cluster.want(two_stages());
  ASSERT_TRUE(cluster.gets_ready());
  const Epoch before = cluster.status("a", "llama").placement->epoch;
  cluster.kill("b");
  cluster.run(0.5);
  cluster.start("b");
  cluster.run(1.5);
  ASSERT_TRUE(cluster.gets_ready("llama", 10));
  EXPECT_GT(cluster.status("a", "llama").placement->epoch, before);
  const std::string trace = cluster.trace();
  EXPECT_NE(trace.find("a keeps llama"), std::string::npos) << "weights need not be read again\n"
                                                            << trace;
  EXPECT_EQ(cluster.disagreement(), "");
}

// Both sides of a partition go on working; afterwards one placement holds, and nobody keeps memory
// of the other.
TEST(InstanceCore, APartitionHealsToOnePlacement) {
  TestCluster cluster(12, {"a", "b", "c", "d"}, kSmall);
  cluster.want(kWanted);
  ASSERT_TRUE(cluster.gets_ready());
  for (const char* left : {"a", "b"})
    for (const char* right : {"c", "d"}) cluster.cut(left, right);
  cluster.run(5);
  ASSERT_TRUE(cluster.gets_ready());
  EXPECT_EQ(cluster.status("a", "llama").placement->part_of("c"), nullptr);
  EXPECT_EQ(cluster.status("d", "llama").placement->part_of("a"), nullptr);
  cluster.heal();
  cluster.run(5);
  ASSERT_TRUE(cluster.gets_ready());
  EXPECT_EQ(cluster.disagreement(), "") << cluster.trace();
}

// A node that joins becomes the keeper by its id; it must neither move what works nor delete what
// it has not heard of yet.
TEST(InstanceCore, ANewKeeperLeavesWhatWorksAlone) {
  TestCluster cluster(17, {"m", "n"}, kSmall);
  cluster.want(kWanted);
  ASSERT_TRUE(cluster.gets_ready());
  cluster.trace();
  cluster.lose_messages(0.2);
  cluster.add_node("a", kLarge);
  cluster.run(60);
  EXPECT_TRUE(cluster.core("a").is_keeper());
  EXPECT_EQ(cluster.trace(), "9.0 a starts\n");
}

// Both see all of the machine's memory; the simulation checks that they do not take it twice.
TEST_P(InstanceCorePlans, NodesOfOneMachineAreGivenItsMemoryOnce) {
  TestCluster cluster(31, {"a", "b"}, kLarge, GetParam());
  cluster.share_memory({"a", "b"}, kLarge);
  cluster.add_model(small_model("other"));
  cluster.want(kWanted);
  cluster.run(1);  // what is promised has not been loaded when the next one comes
  DesiredInstance other = kWanted;
  other.model = "other";
  cluster.want(other);
  ASSERT_TRUE(cluster.gets_ready());
  cluster.run(10);
  EXPECT_NE(cluster.status("a", "other").message.find(": short by "), std::string::npos)
      << cluster.status("a", "other").message << cluster.trace();
  cluster.unwant("llama");
  EXPECT_TRUE(cluster.gets_ready("other", 40));
}

}  // namespace
}  // namespace drystone
