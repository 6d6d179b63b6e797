#include <gtest/gtest.h>

#include <set>
#include <string>

#include "cluster/instance/test_instances.h"

namespace drystone {
namespace {

// Several placements at once: other models, and replicas of one.

struct InstanceReplicaPlans : PlansAtOnceAndLater {};
INSTANTIATE_TEST_SUITE_P(, InstanceReplicaPlans, ::testing::Bool(), plans_name);

// Both of llama get ready, on so many nodes each.
void expect_two_replicas(TestCluster& cluster, std::size_t parts) {
  ASSERT_TRUE(cluster.gets_ready("llama#1"));
  ASSERT_TRUE(cluster.gets_ready());
  for (const char* instance : {"llama", "llama#1"})
    EXPECT_EQ(cluster.status("a", instance).placement->parts.size(), parts) << instance;
  cluster.run(1);
  EXPECT_EQ(cluster.disagreement(), "");
}

// Two models are asked for at once, and there is room for one of them.
TEST_P(InstanceReplicaPlans, TwoModelsAtOnceDoNotOverbook) {
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

TEST_P(InstanceReplicaPlans, ReplicasStandOnDifferentNodes) {
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

// The second one is placed where the first is not: that node is excluded, and lives all the same.
TEST_P(InstanceReplicaPlans, ReplicasStayOnTheNodesThatWereNamed) {
  TestCluster cluster(22, {"a", "b", "c"}, kLarge, GetParam());
  DesiredInstance desired = kWanted;
  desired.replicas = 2;
  desired.nodes = {"b", "c"};
  cluster.want(desired);
  ASSERT_TRUE(cluster.gets_ready("llama#1"));
  ASSERT_TRUE(cluster.gets_ready());
  std::set<std::string> used;
  for (const char* instance : {"llama", "llama#1"}) {
    const InstanceStatus status = cluster.status("a", instance);
    EXPECT_EQ(status.message, "") << instance;
    used.insert(status.placement->head);
  }
  EXPECT_EQ(used, (std::set<std::string>{"b", "c"}));
}

// What has to take its place says why, without advice that is of no use any more.
TEST_P(InstanceReplicaPlans, ASubstituteSaysWhereItRunsAndWhy) {
  TestCluster cluster(23, {"a", "b"}, kLarge, GetParam());
  DesiredInstance desired = kWanted;
  desired.stages = 3;
  cluster.want(desired);
  ASSERT_TRUE(cluster.gets_ready());
  const InstanceStatus status = cluster.status("a", "llama");
  EXPECT_EQ(status.message, "runs on a instead, because that takes 3 nodes, and 2 can be used");
}

// Whatever shape is fastest for one: two nodes that could hold a shard each hold a replica each.
TEST_P(InstanceReplicaPlans, AReplicaLeavesTheNodesOfTheNext) {
  TestCluster cluster(19, {"a", "b", "c"}, kLarge, GetParam());
  DesiredInstance desired = kWanted;
  desired.replicas = 2;
  desired.streams = 1;
  cluster.want(desired);
  expect_two_replicas(cluster, /*parts=*/1);
}

// ... and of a model that needs two nodes, four hold two.
TEST_P(InstanceReplicaPlans, ReplicasOfSeveralNodesShareThemOut) {
  TestCluster cluster(20, {"a", "b", "c", "d"}, kSmall, GetParam());
  DesiredInstance desired = kWanted;
  desired.replicas = 2;
  cluster.want(desired);
  expect_two_replicas(cluster, /*parts=*/2);
}

// One that stands on both nodes moves to one of them when a second is asked for.
TEST_P(InstanceReplicaPlans, AWideReplicaMakesRoomForAnother) {
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
  expect_two_replicas(cluster, /*parts=*/1);
}

}  // namespace
}  // namespace drystone
