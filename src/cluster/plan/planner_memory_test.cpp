#include <gtest/gtest.h>

#include "cluster/plan/planner.h"
#include "cluster/plan/planner_checks.h"
#include "cluster/plan/sample_cluster.h"

namespace drystone {
namespace {

// Two nodes of one machine see the same free memory: what both would take must be there once.
TEST(PlannerMemory, NodesOfOneMachineDoNotCountItsMemoryTwice) {
  std::vector<NodeFigures> nodes = {sample_node({.name = "atlas", .memory = kGiB}),
                                    sample_node({.name = "nova", .memory = kGiB}),
                                    sample_node({.name = "vega", .memory = kGiB})};
  const LinkTable links = sample_links(nodes);
  const ModelFigures model = sample_model({.layers = 56});
  const PlanRequest request{.context = 512, .nodes = {"atlas", "nova"}};
  const Plan apart = checked_plan(model, nodes, links, request);
  ASSERT_FALSE(apart.offers.empty());
  const Bytes wanted = apart.offers[0].placements[0].parts[0].bytes.total() +
                       apart.offers[0].placements[0].parts[1].bytes.total();
  ASSERT_GT(wanted, kGiB);
  nodes[0].memory_id = nodes[1].memory_id = "boot";
  const Plan shared = checked_plan(model, nodes, links, request);
  ASSERT_TRUE(shared.error);
  EXPECT_TRUE(std::ranges::any_of(shared.refusals, [](const Refusal& each) {
    return each.reason.find("; atlas, nova are one machine with 1.00 GiB for all of them)") !=
           std::string::npos;
  }));
  // With a machine beside it there is room.
  EXPECT_FALSE(checked_plan(model, nodes, links, {.context = 512}).offers.empty());
  // What an instance of theirs gives back is there for both.
  for (int i : {0, 1}) {
    nodes[i].reserved_bytes = wanted / 2;
    nodes[i].free_bytes = kGiB / 2;  // of both
    nodes[i] = nodes[i].with_reserved(0);
  }
  EXPECT_FALSE(checked_plan(model, nodes, links, request).offers.empty());
  nodes[0] = nodes[0].with_reserved(wanted / 2);
  EXPECT_TRUE(checked_plan(model, nodes, links, request).error);
}

// Equal parts would take more from it than it has: the machine beside it takes the rest.
TEST(PlannerMemory, NodesOfOneMachineTakeTogetherWhatItHas) {
  constexpr Bytes kTogether = 600 * kMiB;
  std::vector<NodeFigures> nodes = {sample_node({.name = "atlas", .memory = kTogether}),
                                    sample_node({.name = "nova", .memory = kTogether}),
                                    sample_node({.name = "vega", .memory = kGiB})};
  const ModelFigures model = sample_model({.layers = 56});
  for (PlanRequest request :
       {PlanRequest{.context = 512, .stages = 3}, PlanRequest{.context = 512, .shards = 3}}) {
    const auto taken = [&] {
      const Plan plan = checked_plan(model, nodes, sample_links(nodes), request);
      Bytes bytes = 0;
      EXPECT_FALSE(plan.offers.empty());
      if (plan.offers.empty()) return bytes;
      for (const PlacedPart& part : plan.offers[0].placements[0].parts)
        if (part.node != "id-vega") bytes += part.bytes.total();
      return bytes;
    };
    nodes[0].memory_id = nodes[1].memory_id = "";
    EXPECT_GT(taken(), kTogether);
    nodes[0].memory_id = nodes[1].memory_id = "boot";
    EXPECT_GT(taken(), kTogether * 4 / 5);  // and no more than all: checked_plan
  }
}

// What a neighbour was promised and has not taken yet is seen nowhere else.
TEST(PlannerMemory, WhatANeighbourIsToTakeOfOneMemoryIsNotFree) {
  NodeFigures atlas = sample_node({.name = "atlas", .memory = kGiB}),
              nova = sample_node({.name = "nova", .memory = kGiB});
  atlas.memory_id = nova.memory_id = "boot";
  const ModelFigures model = sample_model({.layers = 22});
  PlanRequest request{.context = 512, .nodes = {"nova"}};
  const auto offered = [&](const std::vector<NodeFigures>& nodes) {
    return !checked_plan(model, nodes, sample_links(nodes), request).offers.empty();
  };
  EXPECT_TRUE(offered({atlas, nova}));
  const NodeFigures promised = atlas.with_reserved(kGiB / 2);
  EXPECT_FALSE(offered({promised, nova}));
  EXPECT_TRUE(offered({nova}));
  request.neighbours = {promised, nova};
  EXPECT_FALSE(offered({nova}));
}

TEST(PlannerMemory, ReplicasOnOneMachineShareItsMemory) {
  std::vector<NodeFigures> nodes = {sample_node({.name = "atlas", .memory = 5 * kGiB / 4}),
                                    sample_node({.name = "nova", .memory = 5 * kGiB / 4})};
  const ModelFigures model = sample_model({.layers = 22});
  const PlanRequest request{.context = 512, .streams = 8};
  const Plan apart = checked_plan(model, nodes, sample_links(nodes), request);
  ASSERT_NE(find(apart, PlanKind::replicas), nullptr);
  ASSERT_GT(apart.offers[0].nodes[0].bytes.total(), 5 * kGiB / 8);
  nodes[0].memory_id = nodes[1].memory_id = "boot";
  const Plan shared = checked_plan(model, nodes, sample_links(nodes), request);
  EXPECT_EQ(find(shared, PlanKind::replicas), nullptr);
  EXPECT_NE(find(shared, PlanKind::one_node), nullptr);
}

}  // namespace
}  // namespace drystone
