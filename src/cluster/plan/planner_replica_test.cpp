#include <gtest/gtest.h>

#include "cluster/plan/planner.h"
#include "cluster/plan/planner_checks.h"
#include "cluster/plan/sample_cluster.h"

namespace drystone {
namespace {

// For many requests replicas beat stages: no hops, and the whole of every machine.
TEST(PlannerReplicas, ReplicasServeManyStreams) {
  std::vector<NodeFigures> nodes;
  for (const char* name : {"atlas", "nova", "spare"}) nodes.push_back(sample_node({.name = name}));
  const Plan plan = checked_plan(sample_model(), nodes, sample_links(nodes, {.round_trip_s = 1e-3}),
                                 {.context = 2048, .streams = 12});
  ASSERT_FALSE(plan.offers.empty());
  EXPECT_EQ(plan.offers[0].kind, PlanKind::replicas) << plan.advice;
  EXPECT_EQ(plan.offers[0].placements.size(), 3u);
  EXPECT_EQ(plan.offers[0].placements[1].instance, "llama-1b#1");
  const Offer* alone = find(plan, PlanKind::one_node);
  EXPECT_GT(*plan.offers[0].estimate.many_streams_tok_s, 2 * *alone->estimate.many_streams_tok_s);
}

// A model that fits on single nodes has replicas of one node each, even where one answer were
// faster over several.
TEST(PlannerReplicas, ReplicasOfWhatFitsOnOneNodeAreOfOneNode) {
  std::vector<NodeFigures> nodes;
  for (const char* name : {"atlas", "nova", "spare"}) nodes.push_back(sample_node({.name = name}));
  const LinkTable cable = sample_links(nodes, {.round_trip_s = 60e-6, .bandwidth = 1.2e9});
  for (const std::uint32_t streams : {1u, 8u}) {
    const Plan plan = checked_plan(sample_model(), nodes, cable,
                                   {.context = 1024, .streams = streams, .replicas = 2});
    ASSERT_EQ(plan.offers.size(), 1u) << plan.error->message();
    ASSERT_EQ(plan.offers[0].placements.size(), 2u);
    for (const Placement& placement : plan.offers[0].placements)
      EXPECT_EQ(placement.parts.size(), 1u);
  }
}

// Where the best pair leaves two that are too small, others are paired.
TEST(PlannerReplicas, ReplicasAreFoundWhereTheBestWouldTakeTooMuch) {
  const ModelFigures model = sample_model({.tied = true});
  std::vector<NodeFigures> nodes = {
      sample_node({.name = "a", .memory = 500 * kMiB, .bandwidth = 40e9, .generated_rate = 120e9}),
      sample_node({.name = "b", .memory = 500 * kMiB, .bandwidth = 40e9, .generated_rate = 120e9}),
      sample_node({.name = "c", .memory = 300 * kMiB}),
      sample_node({.name = "d", .memory = 300 * kMiB})};
  const Plan plan =
      checked_plan(model, nodes, sample_links(nodes), {.context = 512, .replicas = 2});
  ASSERT_FALSE(plan.offers.empty()) << plan.error->message();
  for (const Placement& placement : plan.offers[0].placements)
    EXPECT_EQ(placement.part_of("id-a") != nullptr, placement.part_of("id-b") == nullptr);
}

// Of many nodes not all shapes are tried, and those that are best alone all want the same nodes.
TEST(PlannerReplicas, ReplicasOverSeveralNodesEachAreFoundInLargeClusters) {
  const ModelFigures model = sample_model({.tied = true});
  for (const std::vector<Bytes>& memories :
       {std::vector<Bytes>(8, 450 * kMiB),
        std::vector<Bytes>{500 * kMiB, 500 * kMiB, 500 * kMiB, 500 * kMiB, 300 * kMiB, 300 * kMiB,
                           300 * kMiB, 300 * kMiB}}) {
    std::vector<NodeFigures> nodes;
    for (std::size_t i = 0; i < memories.size(); ++i)
      nodes.push_back(sample_node({.name = std::string(1, 'a' + i), .memory = memories[i]}));
    for (const auto& [stages, shards] :
         {std::pair<std::optional<std::uint32_t>, std::optional<std::uint32_t>>{{}, {}},
          {2, {}},
          {{}, 2}}) {
      const Plan plan =
          checked_plan(model, nodes, sample_links(nodes),
                       {.context = 512, .stages = stages, .shards = shards, .replicas = 4});
      ASSERT_FALSE(plan.offers.empty()) << plan.error->message();
      EXPECT_EQ(plan.offers[0].placements.size(), 4u);
    }
  }
}

}  // namespace
}  // namespace drystone
