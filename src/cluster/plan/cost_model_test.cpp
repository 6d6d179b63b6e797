#include "cluster/plan/cost_model.h"

#include <gtest/gtest.h>

#include "cluster/plan/sample_cluster.h"

namespace drystone {
namespace {

NodeFigures node_of(double bandwidth, double prompt, double generated) {
  return {.id = "a",
          .name = "atlas",
          .read_bandwidth = bandwidth,
          .rates = {{"q4_0", {prompt, generated}}, {kAttentionRate, {prompt, generated}}},
          .step_fixed_s = 0};
}

const LayerFigures kLayer{.attention = {{"q4_0", 1000, 2000}},
                          .feed_forward = {{"q4_0", 3000, 6000}},
                          .kv_values = 10,
                          .position_ops = 4};

// One row is bound by memory, many by arithmetic: the estimate must change over where the machine
// does.
TEST(CostModel, TheLongerOfReadingAndComputingCounts) {
  const NodeFigures node = node_of(1e6, 1e9, 1e7);
  const LayerTime one = layer_time(node, kLayer, {}, {.generated = 1});
  EXPECT_DOUBLE_EQ(one.attention.seconds, 1e-3);
  EXPECT_DOUBLE_EQ(one.feed_forward.seconds, 3e-3);
  EXPECT_DOUBLE_EQ(one.feed_forward.read_bytes, 3000);
  const LayerTime many = layer_time(node, kLayer, {}, {.generated = 10});
  EXPECT_DOUBLE_EQ(many.attention.seconds, 2e-3);
  EXPECT_DOUBLE_EQ(many.attention.compute_s, 2e-3);
  const LayerTime prompt = layer_time(node, kLayer, {}, {.prompt = 1000});
  EXPECT_DOUBLE_EQ(prompt.attention.seconds, 2e-3);
}

// Decoding reads weights once and every row's own keys and values; a prompt reads its own once.
TEST(CostModel, KeysAndValuesAreReadBesideTheWeights) {
  const NodeFigures node = node_of(1e6, 1e12, 1e12);
  const auto attention_s = [&](const StepRows& rows) {
    return layer_time(node, kLayer, {}, rows).attention.seconds;
  };
  EXPECT_DOUBLE_EQ(attention_s({.generated = 1, .position = 100}), 3e-3);
  EXPECT_DOUBLE_EQ(attention_s({.generated = 4, .position = 100}), 9e-3);
  EXPECT_DOUBLE_EQ(attention_s({.prompt = 64, .position = 100}), 3e-3);
  LayerFigures windowed = kLayer;
  windowed.window = 10;
  EXPECT_DOUBLE_EQ(
      layer_time(node, windowed, {}, {.generated = 1, .position = 100}).attention.seconds, 1.2e-3);
}

// A rank does its share of the work and of the reading.
TEST(CostModel, AShareTakesItsPartOfTheTime) {
  const NodeFigures node = node_of(1e6, 1e12, 1e12);
  const LayerTime part =
      layer_time(node, kLayer, {.attention = 0.25, .feed_forward = 0.5}, {.generated = 1});
  EXPECT_DOUBLE_EQ(part.attention.seconds, 0.25e-3);
  EXPECT_DOUBLE_EQ(part.feed_forward.seconds, 1.5e-3);
}

// A core of a Zen 4 with 1.1 thousand million weights: 31.7, 32.5, 37.3 and 61.6 ms were measured.
TEST(CostModel, SeveralGeneratedRowsTakeWhatWasMeasuredOfSoMany) {
  NodeFigures node = node_of(50e9, 180e9, 143e9);
  node.rates["q4_0"].streamed = 34.4e9;
  node.rates["q4_0"].few = 118e9;
  const LayerFigures all = {
      .attention = {{.type = "q4_0", .bytes = 620'000'000, .multiply_adds = 1'100'000'000}}};
  const auto step_s = [&](std::uint32_t rows) {
    return layer_time(node, all, {}, {.generated = rows}).attention.seconds;
  };
  EXPECT_NEAR(step_s(1), 32e-3, 1e-3);
  EXPECT_NEAR(step_s(2), 33.8e-3, 0.2e-3);
  EXPECT_NEAR(step_s(4), 37.3e-3, 0.2e-3);
  EXPECT_NEAR(step_s(6), 49.4e-3, 0.2e-3);
  EXPECT_NEAR(step_s(8), 61.5e-3, 0.2e-3);
  EXPECT_NEAR(step_s(32), 4 * step_s(8), 1e-6);  // more are as many times eight
  node.rates["q4_0"].few = std::nullopt;
  EXPECT_NEAR(step_s(4), 44.7e-3, 0.2e-3);  // between one and eight
}

// A figure that is missing is named, so that somebody can measure it; it is never taken for 0 in
// silence.
TEST(CostModel, WhatIsNotMeasuredIsNamed) {
  NodeFigures node = node_of(1e6, 1e9, 1e9);
  node.read_bandwidth = std::nullopt;
  node.rates["q4_0"].prompt = std::nullopt;
  LayerTime time = layer_time(node, kLayer, {}, {.prompt = 1, .generated = 1});
  time.attention.add(time.feed_forward);
  EXPECT_EQ(time.attention.unknown,
            (std::vector<std::string>{"read bandwidth of atlas",
                                      "rate of q4_0 for prompt rows of atlas"}));
  EXPECT_FALSE(hop_time({.from = "a", .to = "b"}, 1).known());
  node.step_fixed_s = std::nullopt;
  EXPECT_FALSE(fixed_time(node).known());
}

TEST(CostModel, AHopIsHalfARoundTripAndTheTransfer) {
  EXPECT_DOUBLE_EQ(
      hop_time({.from = "a", .to = "b", .round_trip_s = 2e-4, .bandwidth = 1e6}, 100).seconds,
      2e-4);
}

// algorithms: at 50 us, 4 nodes and 10 GbE one exchange wins up to 42 KB.
TEST(CostModel, ReductionsTakeTheFasterWay) {
  std::vector<NodeFigures> nodes;
  std::vector<std::string> ids;
  for (const char* name : {"a", "b", "c", "d"}) {
    nodes.push_back(sample_node({.name = name}));
    ids.push_back(nodes.back().id);
  }
  const LinkTable links = sample_links(nodes, {.round_trip_s = 100e-6, .bandwidth = 1.25e9});
  EXPECT_EQ(reduction(links, ids, 41'000).way, ReduceWay::one_shot);
  EXPECT_EQ(reduction(links, ids, 43'000).way, ReduceWay::two_shot);
  const std::vector<std::string> pair = {ids[0], ids[1]};
  const Reduction two = reduction(links, pair, 10'000'000);
  EXPECT_EQ(two.way, ReduceWay::one_shot);
  EXPECT_DOUBLE_EQ(two.time.seconds, 50e-6 + 8e-3);
  EXPECT_EQ(reduction(links, std::vector<std::string>{ids[0]}, 1000).way, ReduceWay::none);
}

// The examples of the rule: 70B on 273 GB/s over two nodes allows 0.46 ms, 8B on 1 TB/s 39 us.
TEST(CostModel, TheRuleForShards) {
  EXPECT_NEAR(reduction_limit_s(0.146, 2, 80), 0.456e-3, 1e-6);
  EXPECT_NEAR(reduction_limit_s(0.005, 2, 32), 39e-6, 1e-6);
}

// One request waits for every stage; as many as there are stages keep all of them busy.
TEST(CostModel, LanesFillAPipeline) {
  const Pipeline pipeline{.stage_s = {0.010, 0.010}, .hop_s = {0.001, 0.001}};
  EXPECT_DOUBLE_EQ(steps_per_s(pipeline, 1), 1 / 0.022);
  EXPECT_DOUBLE_EQ(steps_per_s(pipeline, 2), 2 / 0.022);
  EXPECT_DOUBLE_EQ(steps_per_s(pipeline, 3), 1 / 0.010);
  EXPECT_EQ(full_lanes(pipeline), 3u);
  EXPECT_EQ(full_lanes({.stage_s = {0.01, 0.01}, .hop_s = {0, 0}}), 2u);
}

// The first chunk goes through all stages, the others follow at the pace of the slowest.
TEST(CostModel, ChunksOfAPromptOverlap) {
  const Pipeline chunk{.stage_s = {0.1, 0.2}, .hop_s = {0.01, 0}};
  EXPECT_NEAR(prefill_s(chunk, 4), 0.31 + 3 * 0.2, 1e-12);
  const Pipeline slow_link{.stage_s = {0.1, 0.2}, .hop_s = {0.5, 0}};
  EXPECT_NEAR(prefill_s(slow_link, 4), 0.8 + 3 * 0.5, 1e-12);
}

}  // namespace
}  // namespace drystone
