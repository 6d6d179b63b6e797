#include "cluster/instance/instance_core.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "cluster/instance/sim/sim_cluster.h"
#include "cluster/plan/sample_cluster.h"

namespace drystone {
namespace {

// 22 layers, about 630 MiB with its cache: fits a large node, or two small ones.
ModelFigures small_model(const std::string& name = "llama") {
  return sample_model({.name = name, .tied = true});
}
const DesiredInstance kWanted{.model = "llama", .context = 1024};
constexpr Bytes kLarge = 1000 * kMiB, kSmall = 450 * kMiB;

DesiredInstance two_stages() {
  DesiredInstance desired = kWanted;
  desired.stages = 2;
  return desired;
}

class TestCluster : public SimCluster {
 public:
  using SimCluster::SimCluster;
  // Nodes of that memory, which know the model and each other.
  TestCluster(std::uint64_t seed, std::initializer_list<const char*> nodes, Bytes memory_each,
              bool plans_are_slow = false)
      : SimCluster(seed) {
    if (plans_are_slow) slow_plans();
    for (const char* name : nodes) add_node(name, memory_each);
    add_model(small_model());
    run(5);
  }
  testing::AssertionResult gets_ready(const std::string& instance = "llama", double within_s = 20) {
    if (run_until_ready(instance, within_s)) return testing::AssertionSuccess();
    return testing::AssertionFailure() << trace();
  }
};

// Plans that are there at once, and those that a thread makes meanwhile.
struct Plans : ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, Plans, ::testing::Bool(), [](const auto& one) {
  return std::string(one.param ? "slow" : "at_once");
});

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
  EXPECT_EQ(cluster.status("b", "llama").message, "c is dead: alive are a, b");
  cluster.remove("c");
  EXPECT_EQ(cluster.status("b", "llama").message, "c was removed: alive are a, b");

  TestCluster other(1, {"a", "b", "c"}, kLarge);
  other.want(desired);
  ASSERT_TRUE(other.gets_ready());
  other.remove("c");
  other.run(4);
  ASSERT_TRUE(other.gets_ready());
  EXPECT_EQ(other.status("b", "llama").placement->degraded, "c was removed: alive are a, b");
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
TEST_P(Plans, FallsBackToFewerNodesAndReturns) {
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
TEST_P(Plans, AThawedKeeperLeavesWhatServes) {
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
TEST_P(Plans, AThawedKeeperWaitsBeforeItReplacesASubstitute) {
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

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size())
    ++count;
  return count;
}

// A disk that is full for a moment: the same node is tried again, after a wait.
TEST(InstanceCore, ALoadThatFailedIsTriedAgain) {
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
TEST(InstanceCore, ANodeThatKeepsFailingIsLeftOut) {
  TestCluster cluster(9, {"a", "b"}, kLarge);
  cluster.fail_loads("a", 1000);
  cluster.want(kWanted);
  ASSERT_TRUE(cluster.gets_ready("llama", 60));
  EXPECT_EQ(cluster.status("b", "llama").placement->head, "b");
  EXPECT_EQ(count(cluster.trace(), "a loads llama"), 2u);
}

// For ever broken is not for ever busy: it is given up, and that stands until somebody asks again,
// whoever starts afresh meanwhile.
TEST_P(Plans, HopelessLoadsAreGivenUpUntilSomebodyAsks) {
  TestCluster cluster(10, {"a"}, kLarge, GetParam());
  cluster.fail_loads("a", 100000);
  cluster.want(kWanted);
  cluster.run(600);
  EXPECT_EQ(count(cluster.trace(), "a loads llama"), 8u);
  for (int starts = 0; starts < 2; ++starts) {
    const InstanceStatus failed = cluster.status("a", "llama");
    EXPECT_EQ(failed.phase, InstancePhase::failed);
    EXPECT_TRUE(failed.gave_up);
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
TEST(InstanceCore, WhatWasReadyOnceIsNeverGivenUp) {
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
TEST_P(Plans, AskingAgainAfterAFailureBeginsAtOnce) {
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

// A shape that only an earlier wish asked for ends with that wish ...
TEST_P(Plans, AFreeWishEndsAForcedShape) {
  TestCluster cluster(25, {"a", "b"}, kLarge, GetParam());
  cluster.want(two_stages());
  ASSERT_TRUE(cluster.gets_ready());
  cluster.run(15);
  cluster.want(kWanted);
  cluster.run(3);
  EXPECT_TRUE(cluster.status("a", "llama").answered);
  ASSERT_TRUE(cluster.gets_ready("llama", 10));
  EXPECT_EQ(cluster.status("a", "llama").placement->parts.size(), 1u);
  EXPECT_EQ(cluster.disagreement(), "");
}

// ... and the same wish once more moves nothing.
TEST_P(Plans, AskingAgainForWhatIsReadyLeavesItAlone) {
  TestCluster cluster(26, {"a", "b"}, kLarge, GetParam());
  for (const DesiredInstance& wish : {two_stages(), kWanted}) {
    cluster.want(wish);
    cluster.run(1);
    ASSERT_TRUE(cluster.gets_ready());
    cluster.run(15);
    cluster.trace();
    cluster.want(wish);
    cluster.run(2);
    EXPECT_TRUE(cluster.status("a", "llama").answered);
    EXPECT_EQ(cluster.trace(), "");
  }
}

TEST_P(Plans, AFreeWishEndsForcedRows) {
  TestCluster cluster(27, {"a", "b"}, kLarge, GetParam());
  DesiredInstance wish = two_stages();
  for (const auto asked : {std::optional(RowFormat::q8), std::optional<RowFormat>()}) {
    wish.row_format = asked;
    cluster.want(wish);
    cluster.run(3);
    ASSERT_TRUE(cluster.gets_ready());
    EXPECT_EQ(cluster.status("a", "llama").placement->row_format, asked.value_or(RowFormat::f32));
  }
}

// Links are measured again and again, and are never quite the same.
TEST_P(Plans, ANewWishReloadsNothingBecauseOfALink) {
  TestCluster cluster(28, {"a", "b", "c"}, kLarge, GetParam());
  DesiredInstance wish = kWanted;
  wish.shards = 3;
  wish.nodes = {"a", "b", "c"};
  cluster.want(wish);
  ASSERT_TRUE(cluster.gets_ready());
  cluster.run(15);
  cluster.trace();
  cluster.measure_links(0.021);
  cluster.run(2);
  wish.nodes.clear();  // another choice, which comes to the same
  cluster.want(wish);
  cluster.run(3);
  EXPECT_TRUE(cluster.status("a", "llama").answered);
  EXPECT_EQ(cluster.trace(), "");
}

// Nodes measure themselves again and take what is better, be it ten times as much.
TEST_P(Plans, NothingIsPlacedAnewBecauseOfFiguresOfANode) {
  TestCluster cluster(29, {"a", "b"}, kLarge, GetParam());
  cluster.measure_node("b", 1e11);
  cluster.want(kWanted);
  ASSERT_TRUE(cluster.gets_ready());
  ASSERT_EQ(cluster.status("a", "llama").placement->head, "a");
  cluster.run(15);
  cluster.trace();
  cluster.measure_node("a", 1e10);
  cluster.measure_node("b", 1e12);
  cluster.run(40);
  cluster.want(kWanted);  // again
  cluster.run(10);
  EXPECT_TRUE(cluster.status("a", "llama").answered);
  EXPECT_EQ(cluster.trace(), "");
}

// A part that breaks (a pipe error) comes back at once, with the weights that are there.
TEST(InstanceCore, ABrokenPartComesBackAtOnce) {
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

// Two models are asked for at once, and there is room for one of them.
TEST_P(Plans, TwoModelsAtOnceDoNotOverbook) {
  TestCluster cluster(13);
  if (GetParam()) cluster.slow_plans();
  cluster.add_node("a", kLarge);
  cluster.add_node("b", 100 * kMiB);
  cluster.add_model(small_model("llama"));
  cluster.add_model(small_model("qwen"));
  cluster.run(5);
  cluster.want({.model = "llama", .context = 1024});
  cluster.want({.model = "qwen", .context = 1024});
  cluster.run(10);
  EXPECT_EQ(cluster.status("a", "llama").phase, InstancePhase::ready) << cluster.trace();
  EXPECT_EQ(cluster.status("a", "qwen").phase, InstancePhase::refused) << cluster.trace();
  // Its memory is free again: the other comes in.
  cluster.unwant("llama");
  ASSERT_TRUE(cluster.gets_ready("qwen"));
  EXPECT_EQ(cluster.disagreement(), "");
}

TEST_P(Plans, ReplicasStandOnDifferentNodes) {
  TestCluster cluster(14, {"a", "b"}, 3 * kLarge, GetParam());
  cluster.want({.model = "llama", .context = 1024, .replicas = 3});
  ASSERT_TRUE(cluster.gets_ready("llama#1"));
  EXPECT_NE(cluster.status("a", "llama").placement->head,
            cluster.status("a", "llama#1").placement->head);
  EXPECT_EQ(cluster.status("a", "llama#2").phase, InstancePhase::refused);
  cluster.want({.model = "llama", .context = 1024, .replicas = 1});
  cluster.run(12);
  EXPECT_EQ(cluster.disagreement(), "");
  EXPECT_EQ(cluster.core("a").statuses().size(), 1u);
}

// Whatever shape is fastest for one: two nodes that could hold a shard each hold a replica each.
TEST_P(Plans, AReplicaLeavesTheNodesOfTheNext) {
  TestCluster cluster(19, {"a", "b", "c"}, kLarge, GetParam());
  DesiredInstance desired = kWanted;
  desired.replicas = 2;
  desired.streams = 1;
  cluster.want(desired);
  ASSERT_TRUE(cluster.gets_ready("llama#1"));
  ASSERT_TRUE(cluster.gets_ready());
  for (const char* instance : {"llama", "llama#1"})
    EXPECT_EQ(cluster.status("a", instance).placement->parts.size(), 1u) << instance;
  cluster.run(1);
  EXPECT_EQ(cluster.disagreement(), "");
}

// ... and of a model that needs two nodes, four hold two.
TEST_P(Plans, ReplicasOfSeveralNodesShareThemOut) {
  TestCluster cluster(20, {"a", "b", "c", "d"}, kSmall, GetParam());
  DesiredInstance desired = kWanted;
  desired.replicas = 2;
  cluster.want(desired);
  ASSERT_TRUE(cluster.gets_ready("llama#1"));
  ASSERT_TRUE(cluster.gets_ready());
  EXPECT_EQ(cluster.status("a", "llama#1").placement->parts.size(), 2u);
  cluster.run(1);
  EXPECT_EQ(cluster.disagreement(), "");
}

// One that stands on both nodes moves to one of them when a second is asked for.
TEST_P(Plans, AWideReplicaMakesRoomForAnother) {
  TestCluster cluster(21, {"a", "b"}, kLarge, GetParam());
  cluster.add_model(small_model("qwen"));
  // What else is there leaves too little of each for it.
  cluster.want({.model = "qwen", .context = 1024, .replicas = 2});
  ASSERT_TRUE(cluster.gets_ready("qwen#1"));
  DesiredInstance desired = kWanted;
  cluster.want(desired);
  ASSERT_TRUE(cluster.gets_ready());
  EXPECT_EQ(cluster.status("a", "llama").placement->parts.size(), 2u);
  cluster.unwant("qwen");
  cluster.run(20);
  desired.replicas = 2;
  cluster.want(desired);
  ASSERT_TRUE(cluster.gets_ready("llama#1"));
  ASSERT_TRUE(cluster.gets_ready());
  EXPECT_EQ(cluster.status("a", "llama").placement->parts.size(), 1u);
  cluster.run(1);
  EXPECT_EQ(cluster.disagreement(), "");
}

// A substitute stays until what was asked for is possible, or something else is asked for.
TEST_P(Plans, AnotherWishEndsASubstituteAtOnce) {
  TestCluster cluster(22, {"a"}, kLarge, GetParam());
  cluster.want(two_stages());
  ASSERT_TRUE(cluster.gets_ready("llama", 40));
  EXPECT_NE(cluster.status("a", "llama").message, "");
  cluster.want(kWanted);
  cluster.run(2);
  EXPECT_EQ(cluster.status("a", "llama").placement->degraded, "");
  ASSERT_TRUE(cluster.gets_ready("llama", 3));
}

// `load` with another context replaces what is there.
TEST_P(Plans, AnotherWishIsAnotherPlacement) {
  TestCluster cluster(15, {"a"}, kLarge, GetParam());
  cluster.want(kWanted);
  ASSERT_TRUE(cluster.gets_ready());
  DesiredInstance longer = kWanted;
  longer.context = 2048;
  cluster.want(longer);
  cluster.run(2);
  ASSERT_TRUE(cluster.gets_ready());
  EXPECT_EQ(cluster.status("a", "llama").placement->context, 2048u);
  EXPECT_EQ(cluster.status("a", "llama").placement->epoch.number, 2u);
}

// A plan that was begun for an earlier wish is never published.
TEST(InstanceCore, APlanBeginsAnewWithAnotherWish) {
  TestCluster cluster(23, {"a", "b", "c"}, kSmall, true);
  DesiredInstance on_two = kWanted;
  on_two.nodes = {"a", "b"};
  cluster.want(on_two);
  cluster.run(0.5);
  DesiredInstance on_others = kWanted;
  on_others.nodes = {"a", "c"};
  cluster.want(on_others);
  ASSERT_TRUE(cluster.gets_ready());
  EXPECT_EQ(cluster.status("a", "llama").placement->epoch.number, 1u);
  EXPECT_NE(cluster.status("a", "llama").placement->part_of("c"), nullptr);
}

// Unload and load again in one breath, and in the middle of loading.
TEST(InstanceCore, UnloadAndLoadAgainWithoutAPause) {
  TestCluster cluster(16, {"a", "b"}, kSmall);
  for (const double pause_s : {0.5, 1.0, 2.0, 4.0, 11.0}) {
    cluster.want(kWanted);
    cluster.run(pause_s);
    cluster.unwant("llama");
    cluster.run(pause_s / 2);
  }
  cluster.want(kWanted);
  cluster.run(2);
  ASSERT_TRUE(cluster.gets_ready("llama", 30));
  cluster.run(5);
  EXPECT_EQ(cluster.disagreement(), "");
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

// Nobody has the file.
// One core over a map that a test writes as it likes, without ledger or figures that change.
class LoneCore {
 public:
  explicit LoneCore(std::initializer_list<std::string> models) {
    for (const std::string& name : models) {
      ModelFigures model = small_model();
      model.name = name;
      put("model/" + name, to_json(model));
    }
  }
  void figures(const std::string& node, Bytes memory) {
    put("figures/" + node, to_json(NodeFigures{.id = node, .name = node, .limit_bytes = memory}));
  }
  void put(const std::string& key, const boost::json::value& value) {
    map.put(key, value, "z");
    if (core) core->key_changed(key);
  }
  // Placements that are published, and what the core asks for besides.
  std::vector<PlaceValue> at(int seconds) {
    if (!core) core.emplace(InstanceCore::Options{.self = "a", .boot = 1}, map);
    std::vector<PlaceValue> places;
    // It ran all the time: a pause would be one of its process.
    for (; now < std::chrono::seconds(seconds); now += std::chrono::milliseconds(500))
      core->tick(now);
    core->tick(now);
    for (auto actions = core->take_actions(); !actions.empty(); actions = core->take_actions())
      for (const InstanceAction& action : actions)
        if (const auto* publish = std::get_if<Publish>(&action)) {
          put(publish->key, publish->value);
          if (publish->key.starts_with("place/"))
            places.push_back(*place_value_from_json(publish->value));
        }
    return places;
  }

  SimMap map;
  std::optional<InstanceCore> core;
  std::chrono::milliseconds now{};
};

// An epoch names one placement: two nodes that connect by it hold parts of the same.
TEST(InstanceCore, AnEpochThatALaterWritingHidIsNotUsedAgain) {
  LoneCore lone({"llama"});
  const PlaceValue elsewhere{.epoch = {1, "z"}, .refused = "no node is left"};
  lone.figures("a", kMiB);
  lone.put("want/llama", to_json(kWanted));
  lone.put("place/llama", to_json(elsewhere));
  const auto refused = lone.at(30);
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].epoch.number, 2u);
  lone.put("place/llama", to_json(elsewhere));
  lone.figures("a", kLarge);
  const auto placed = lone.at(60);
  ASSERT_EQ(placed.size(), 1u);
  EXPECT_TRUE(placed[0].placement);
  EXPECT_EQ(placed[0].epoch.number, 3u);
}

// ... and where a keeper that started afresh could not know, all parts begin again.
TEST(InstanceCore, AnEpochThatStandsForAnotherPlacementIsReplaced) {
  LoneCore lone({"llama"});
  lone.figures("a", kLarge);
  lone.put("want/llama", to_json(kWanted));
  const auto placed = lone.at(30);
  ASSERT_EQ(placed.size(), 1u);
  lone.core->part_loaded("llama", placed[0].epoch);
  EXPECT_TRUE(lone.at(31).empty());
  PlaceValue other = placed[0];
  other.placement->parts[0].bytes.working += 1;
  lone.put("place/llama", to_json(other));
  const auto again = lone.at(32);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_GT(again[0].epoch, placed[0].epoch);
}

// Whatever order the writings of several keepers come in: parts only ever go forward.
TEST(InstanceCore, APartIsNeverHandedOutUnderALowerEpochThanBefore) {
  LoneCore lone({"llama"});
  lone.figures("a", kLarge);
  lone.put("want/llama", to_json(kWanted));
  PlaceValue place = lone.at(30).at(0);
  lone.core->node_alive("0");  // another one keeps it from now on
  std::vector<Epoch> handed;
  const auto placed = [&](std::uint64_t number, const char* keeper, bool here = true) {
    PlaceValue value{.epoch = {number, keeper}, .refused = "unloaded"};
    if (here) value.placement = place.placement;
    if (here) value.placement->epoch = value.epoch;
    lone.put("place/llama", to_json(value));
    for (auto actions = lone.core->take_actions(); !actions.empty();
         actions = lone.core->take_actions())
      for (const InstanceAction& action : actions) {
        if (const auto* load = std::get_if<LoadPart>(&action))
          handed.push_back(load->placement.epoch);
        if (const auto* publish = std::get_if<Publish>(&action))
          lone.put(publish->key, publish->value);
      }
  };
  placed(3, "z");
  placed(4, "z", /*here=*/false);
  placed(2, "0");
  placed(3, "0");
  placed(5, "0");
  EXPECT_EQ(handed, (std::vector<Epoch>{{3, "z"}, {5, "0"}}));
}

// What gives way makes room for what was refused a moment before.
TEST(InstanceCore, WhatGivesWayMakesRoomForOthers) {
  LoneCore lone({"big", "alice"});
  lone.figures("a", kSmall);
  lone.figures("b", kSmall);
  lone.put("want/big", to_json(DesiredInstance{.model = "big", .context = 1024, .stages = 2}));
  lone.at(0);
  lone.core->node_alive("b");
  lone.at(30);
  lone.put("want/alice",
           to_json(DesiredInstance{.model = "alice", .context = 64, .kv_format = KvFormat::f16}));
  ModelFigures alice = small_model();
  alice.name = "alice";
  alice.layers.resize(10);
  lone.put("model/alice", to_json(alice));
  EXPECT_TRUE(lone.core->statuses().size() == 2);
  lone.at(40);
  ASSERT_EQ(lone.core->statuses()[0].phase, InstancePhase::refused);
  lone.core->node_dead("b");
  lone.at(50);
  ASSERT_EQ(lone.core->statuses()[0].phase, InstancePhase::refused);
  ASSERT_EQ(lone.core->statuses()[1].phase, InstancePhase::refused);
  lone.at(60);
  EXPECT_EQ(lone.core->statuses()[0].phase, InstancePhase::loading);
}

// A part is handed out once for each epoch, also when nobody wanted it for a moment.
TEST(InstanceCore, UnloadedAndWantedAgainAtOnceBeginsWithTheNextEpoch) {
  TestCluster cluster(31, {"a", "b"}, kLarge);
  cluster.want(two_stages());
  ASSERT_TRUE(cluster.gets_ready());
  cluster.trace();
  cluster.unwant("llama");
  cluster.run(2);
  cluster.want(two_stages());
  ASSERT_TRUE(cluster.gets_ready());
  const std::string trace = cluster.trace();
  EXPECT_EQ(count(trace, "loads llama epoch 1"), 0u) << trace;
  EXPECT_EQ(count(trace, "loads llama epoch 2"), 2u) << trace;
}

TEST(InstanceCore, SaysThatNobodyHasTheModel) {
  TestCluster cluster(18);
  cluster.add_node("a", kLarge);
  cluster.want(kWanted);
  cluster.run(5);
  EXPECT_EQ(cluster.status("a", "llama").phase, InstancePhase::waiting);
  EXPECT_EQ(cluster.status("a", "llama").message, "no node has the file of llama");
}

}  // namespace
}  // namespace drystone
