#include "cluster/plan/planner.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cluster/plan/evaluation.h"
#include "cluster/plan/plan_input.h"
#include "cluster/plan/planner_checks.h"
#include "cluster/plan/sample_cluster.h"
#include "cluster/plan/shape.h"
#include "cluster/plan/shape_search.h"

namespace drystone {
namespace {

// The common case, and the one that others get wrong: a model that fits on one machine is not split
// over a slow network, and the user is told.
TEST(Planner, SaysThatSplittingWouldOnlySlowDown) {
  const std::vector<NodeFigures> nodes = {sample_node({.name = "atlas"}),
                                          sample_node({.name = "nova"})};
  const LinkTable wifi = sample_links(nodes, {.round_trip_s = 5e-3, .bandwidth = 50e6});
  const Plan plan = checked_plan(sample_model(), nodes, wifi, {.context = 2048});
  ASSERT_FALSE(plan.offers.empty());
  EXPECT_EQ(plan.offers[0].kind, PlanKind::one_node);
  EXPECT_NE(plan.advice.find("fits on atlas alone: 32 tok/s; 2 stages: "), std::string::npos)
      << plan.advice;
  EXPECT_NE(plan.advice.find("Splitting would only slow the model down"), std::string::npos);
}

// ... also one who asked for it.
TEST(Planner, SaysThatAForcedSplitSlowsDown) {
  const std::vector<NodeFigures> nodes = {sample_node({.name = "atlas"}),
                                          sample_node({.name = "nova"})};
  const LinkTable wifi = sample_links(nodes, {.round_trip_s = 5e-3, .bandwidth = 50e6});
  const Plan forced = checked_plan(sample_model(), nodes, wifi, {.context = 2048, .stages = 2});
  EXPECT_NE(forced.advice.find(". atlas alone would do 32 tok/s: this split only slows the model "
                               "down"),
            std::string::npos)
      << forced.advice;
  const LinkTable cable = sample_links(nodes, {.round_trip_s = 60e-6, .bandwidth = 1.2e9});
  const Plan shards = checked_plan(sample_model(), nodes, cable, {.context = 2048, .shards = 2});
  EXPECT_EQ(shards.advice.find("alone"), std::string::npos) << shards.advice;
}

// Over a cable shards shorten the wait: 2 nodes read twice as fast.
TEST(Planner, ShardsWinWhereReductionsAreShort) {
  const std::vector<NodeFigures> nodes = {sample_node({.name = "atlas"}),
                                          sample_node({.name = "nova"})};
  const LinkTable cable = sample_links(nodes, {.round_trip_s = 60e-6, .bandwidth = 1.2e9});
  const Plan plan = checked_plan(sample_model(), nodes, cable, {.context = 2048});
  ASSERT_FALSE(plan.offers.empty());
  EXPECT_EQ(plan.offers[0].kind, PlanKind::shards) << plan.offers[0].summary;
  const Offer* alone = find(plan, PlanKind::one_node);
  ASSERT_NE(alone, nullptr);
  const double gain = *plan.offers[0].estimate.one_stream_tok_s / *alone->estimate.one_stream_tok_s;
  EXPECT_GT(gain, 1.6);
  EXPECT_LT(gain, 2.0);
  EXPECT_NE(plan.offers[0].reason.find("a reduction takes"), std::string::npos);
}

// The rule says the same as the estimate: shards win just where a reduction is short enough.
TEST(Planner, TheRuleAndTheEstimateAgreeOnShards) {
  const std::vector<NodeFigures> nodes = {sample_node({.name = "atlas"}),
                                          sample_node({.name = "nova"})};
  const ModelFigures model = sample_model({.tied = true});
  for (const double exchange_s : {20e-6, 100e-6, 300e-6, 380e-6, 420e-6, 600e-6, 2e-3}) {
    const LinkTable links =
        sample_links(nodes, {.round_trip_s = 2 * exchange_s, .bandwidth = 1e12});
    const Plan plan = checked_plan(model, nodes, links, {.context = 2048});
    const Offer* shards = find(plan, PlanKind::shards);
    const Offer* alone = find(plan, PlanKind::one_node);
    ASSERT_TRUE(shards && alone);
    const double one_s = 1 / *alone->estimate.one_stream_tok_s;
    const bool by_rule = exchange_s < reduction_limit_s(one_s, 2, 22);
    EXPECT_EQ(*shards->estimate.one_stream_tok_s > *alone->estimate.one_stream_tok_s, by_rule)
        << exchange_s;
  }
}

// A model that fits nowhere alone is split, and the large machine takes more of it.
TEST(Planner, SplitsWhatFitsOnNoSingleNode) {
  const ModelFigures model = sample_model({.name = "llama-8b",
                                           .layers = 32,
                                           .d_model = 4096,
                                           .ff_width = 14336,
                                           .kv_heads = 8,
                                           .head_dim = 128,
                                           .vocab = 128256});
  const std::vector<NodeFigures> nodes = {sample_node({.name = "atlas", .memory = 4 * kGiB}),
                                          sample_node({.name = "nova", .memory = 2 * kGiB})};
  const Plan plan =
      checked_plan(model, nodes, sample_links(nodes, {.round_trip_s = 4e-3}), {.context = 2048});
  ASSERT_FALSE(plan.offers.empty()) << plan.error->message();
  EXPECT_EQ(find(plan, PlanKind::one_node), nullptr);
  const Offer& best = plan.offers[0];
  ASSERT_EQ(best.kind, PlanKind::stages);
  EXPECT_EQ(best.placements[0].head, "id-atlas");
  EXPECT_GT(best.placements[0].parts[0].layers.size(), 16u);
  EXPECT_EQ(best.reason.substr(0, 24), "fits on no single node");
  ASSERT_FALSE(plan.refusals.empty());
  EXPECT_EQ(plan.refusals[0].summary, "atlas alone");
  EXPECT_EQ(plan.refusals[0].reason.substr(0, 6), "needs ");
  EXPECT_NE(plan.refusals[0].reason.find("free 4.00 GiB (atlas 4.00 GiB)"), std::string::npos);
}

// With figures, what still works, and what to do next.
TEST(Planner, SaysByHowMuchNothingFits) {
  const ModelFigures model = sample_model({.name = "llama-70b",
                                           .layers = 80,
                                           .d_model = 8192,
                                           .ff_width = 28672,
                                           .heads = 64,
                                           .kv_heads = 8,
                                           .head_dim = 128,
                                           .vocab = 128256});
  const std::vector<NodeFigures> nodes = {sample_node({.name = "atlas", .memory = 20 * kGiB}),
                                          sample_node({.name = "nova", .memory = 16 * kGiB})};
  const Plan plan = checked_plan(model, nodes, sample_links(nodes), {});
  ASSERT_TRUE(plan.error);
  EXPECT_EQ(plan.error->code(), Errc::out_of_memory);
  EXPECT_EQ(
      plan.error->message(),
      "cannot place llama-70b: needs 39.7 GiB, free 36.0 GiB (atlas 20.0 GiB, nova 16.0 GiB): "
      "short by 3.72 GiB. Running models are unaffected. Try a smaller quantization or add a "
      "node");
}

// A small model needs as much beside its weights: a shorter context, or fewer requests, is what
// helps, not another file.
TEST(Planner, NamesMemoryBesideTheWeights) {
  const ModelFigures model = sample_model({.layers = 22, .kv_heads = 32});
  const auto on = [&](Bytes memory, const PlanRequest& request) {
    const std::vector<NodeFigures> nodes = {sample_node({.name = "atlas", .memory = memory})};
    const Plan plan = checked_plan(model, nodes, {}, request);
    return plan.error ? plan.error->message() : "fits";
  };
  const PlanRequest short_already{.context = 512, .kv_format = KvFormat::q8_0};
  const PlanRequest shorter{.context = 64, .kv_format = KvFormat::q8_0};
  Bytes memory = 100 * kMiB;
  while (on(memory, shorter) != "fits") memory += kMiB;
  const std::string said = on(memory, short_already);
  EXPECT_NE(said.find("It would fit with a context of 64 tokens: "), std::string::npos) << said;
  EXPECT_NE(said.find("(`--context 64`)"), std::string::npos) << said;
  const PlanRequest many{.context = 64, .streams = 64, .kv_format = KvFormat::q8_0};
  const std::string of_many = on(memory, many);
  EXPECT_NE(of_many.find("of it KV cache and working memory)"), std::string::npos) << of_many;
  EXPECT_NE(of_many.find("`--streams "), std::string::npos) << of_many;
}

// ... and what would fit is tried, not guessed.
TEST(Planner, ProposesWhatWouldFit) {
  const ModelFigures model = sample_model({.layers = 22, .kv_heads = 32});
  const std::vector<NodeFigures> nodes = {sample_node({.name = "atlas", .memory = 1500 * kMiB})};
  const Plan long_context = plan(model, nodes, {}, {.context = 8192});
  ASSERT_TRUE(long_context.error);
  EXPECT_NE(long_context.error->message().find("It would fit with a KV cache of q8_0"),
            std::string::npos)
      << long_context.error->message();
  const Plan quantized = plan(model, nodes, {}, {.context = 8192, .streams = 2});
  ASSERT_TRUE(quantized.error);
  EXPECT_NE(quantized.error->message().find("It would fit with a context of 2048 tokens"),
            std::string::npos)
      << quantized.error->message();
}

// The parts of three nodes, and of a fourth that is too small to take part, that need so many times
// as long.
std::vector<PlacedPart> parts_by_times(const std::vector<double>& times, double bystander,
                                       const PlanRequest& request) {
  std::vector<NodeFigures> nodes;
  const auto add = [&](double time, Bytes memory) {
    nodes.push_back(sample_node({.name = std::string(1, static_cast<char>('a' + nodes.size())),
                                 .memory = memory,
                                 .bandwidth = 20e9 / time,
                                 .prompt_rate = 400e9 / time,
                                 .generated_rate = 60e9 / time}));
  };
  for (const double time : times) add(time, 8 * kGiB);
  add(bystander, kMiB);
  const Plan plan = checked_plan(sample_model(), nodes, sample_links(nodes), request);
  EXPECT_FALSE(plan.offers.empty());
  return plan.offers.at(0).placements.at(0).parts;
}

bool are_cut_alike(const std::vector<PlacedPart>& some, const std::vector<PlacedPart>& others) {
  return std::ranges::equal(some, others, [](const PlacedPart& one, const PlacedPart& other) {
    return one.layers == other.layers && one.ff.size() == other.ff.size() &&
           one.kv_heads.size() == other.kv_heads.size();
  });
}

// What differs by no more than a machine does from itself, measured twice, is equal, whoever else
// is there; and of three those that are nearer to each other.
TEST(Planner, NodesThatMeasureNearlyAlikeHaveEqualParts) {
  for (const PlanRequest& request :
       {PlanRequest{.context = 1024, .stages = 2}, PlanRequest{.context = 1024, .shards = 2}}) {
    const auto equal = parts_by_times({1, 1}, 1, request);
    EXPECT_TRUE(are_cut_alike(parts_by_times({1, 1.14}, 1, request), equal));
    EXPECT_TRUE(are_cut_alike(parts_by_times({1, 1.14}, 0.99, request), equal));
    EXPECT_FALSE(are_cut_alike(parts_by_times({1, 2}, 1, request), equal));
  }
  for (const PlanRequest& request :
       {PlanRequest{.context = 1024, .stages = 3}, PlanRequest{.context = 1024, .shards = 3}})
    EXPECT_TRUE(are_cut_alike(parts_by_times({1, 1.15, 1.16}, 1, request),
                              parts_by_times({1, 1.155, 1.155}, 1, request)));
}

// Two stages with eight streams must come near to twice one node.
TEST(Planner, StagesWorkAtTheSameTime) {
  const std::vector<NodeFigures> nodes = {sample_node({.name = "atlas"}),
                                          sample_node({.name = "nova"})};
  const Plan plan = checked_plan(sample_model(), nodes, sample_links(nodes),
                                 {.context = 2048, .streams = 8, .prompt_tokens = 2048});
  const Offer* stages = find(plan, PlanKind::stages);
  const Offer* alone = find(plan, PlanKind::one_node);
  ASSERT_TRUE(stages && alone);
  EXPECT_GT(*stages->estimate.many_streams_tok_s, 1.6 * *alone->estimate.many_streams_tok_s);
  EXPECT_GT(*stages->estimate.prefill_tok_s, 1.7 * *alone->estimate.prefill_tok_s);
  EXPECT_GT(*stages->estimate.one_stream_tok_s, 0.9 * *alone->estimate.one_stream_tok_s);
}

// What was forced is done or refused, never silently changed.
// Rounded rows cost bits: only cables that would slow the answers down get them.
TEST(Planner, RowsAreRoundedForSlowCablesOnly) {
  const std::vector<NodeFigures> nodes = {sample_node({.name = "atlas"}),
                                          sample_node({.name = "nova"})};
  const auto rows = [&](double bandwidth, std::optional<RowFormat> forced) {
    const auto links = sample_links(nodes, {.bandwidth = bandwidth});
    const Plan plan = checked_plan(sample_model(), nodes, links,
                                   {.context = 4096, .stages = 2, .row_format = forced});
    return plan.offers.at(0).placements.at(0).row_format;
  };
  EXPECT_EQ(rows(1.2e9, {}), RowFormat::f32);
  EXPECT_EQ(rows(117e6, {}), RowFormat::f32);  // 1 GbE: 4 MB of a prompt take 36 ms
  EXPECT_EQ(rows(1e6, {}), RowFormat::q8);
  EXPECT_EQ(rows(1.2e9, RowFormat::q8), RowFormat::q8);
  EXPECT_EQ(rows(1e6, RowFormat::f32), RowFormat::f32);
}

// With 50 us and 4 ranks: 4.2 KB at 1 GbE, 42 KB at 10 GbE.
TEST(Planner, LargeSumsGoInSharesWhereTheLinksAskForIt) {
  std::vector<NodeFigures> nodes;
  for (const char* name : {"a", "b", "c", "d"}) nodes.push_back(sample_node({.name = name}));
  const auto limit = [&](double bandwidth) {
    const auto links = sample_links(nodes, {.round_trip_s = 100e-6, .bandwidth = bandwidth});
    const Plan plan = checked_plan(sample_model(), nodes, links, {.context = 4096, .shards = 4});
    return static_cast<double>(plan.offers.at(0).placements.at(0).one_shot_bytes);
  };
  EXPECT_NEAR(limit(125e6), 4167, 2);
  EXPECT_NEAR(limit(1250e6), 41667, 2);
}

TEST(Planner, ForcedShapesAreKept) {
  std::vector<NodeFigures> nodes;
  for (const char* name : {"atlas", "nova", "spare", "tiny"})
    nodes.push_back(sample_node({.name = name}));
  const LinkTable links = sample_links(nodes);
  const auto planned = [&](const PlanRequest& request) {
    return checked_plan(sample_model(), nodes, links, request);
  };
  for (const Offer& offer : planned({.context = 2048, .stages = 3}).offers) {
    EXPECT_EQ(offer.placements[0].stages(), 3u);
    EXPECT_EQ(offer.placements[0].parts.size(), 3u);
  }
  const Plan both = planned({.context = 2048, .stages = 2, .shards = 2});
  ASSERT_FALSE(both.offers.empty());
  EXPECT_EQ(both.offers[0].kind, PlanKind::stages_of_shards);
  EXPECT_EQ(both.offers[0].placements[0].parts.size(), 4u);
  const Plan two =
      planned({.context = 2048, .stages = 2, .nodes = {"spare", "id-tiny"}, .head = "tiny"});
  ASSERT_EQ(two.offers.size(), 1u);
  EXPECT_EQ(two.offers[0].placements[0].head, "id-tiny");
  EXPECT_EQ(two.offers[0].placements[0].parts[1].node, "id-spare");
  EXPECT_TRUE(planned({.nodes = {"mars"}}).error);
  EXPECT_EQ(planned({.nodes = {"mars"}}).error->message(),
            "there is no node mars: alive are atlas, nova, spare, tiny");
  EXPECT_EQ(planned({.nodes = {"mars"}, .absent = {{"id-mars", "mars"}}}).error->message(),
            "mars is dead: alive are atlas, nova, spare, tiny");
  EXPECT_EQ(
      planned({.nodes = {"mars"}, .absent = {{"id-mars", "mars", kRemoved}}}).error->message(),
      "mars was removed: alive are atlas, nova, spare, tiny");
  // One that has another replica lives: it is neither unknown nor in the way of the others.
  const std::vector<AbsentNode> taken{{"id-mars", "mars", kTaken}};
  EXPECT_FALSE(planned({.context = 2048, .nodes = {"mars", "nova"}, .absent = taken}).error);
  EXPECT_EQ(planned({.nodes = {"mars"}, .absent = taken}).why,
            "mars has another replica of the model");
  EXPECT_EQ(planned({.head = "mars", .absent = taken}).why,
            "mars has another replica of the model");
  EXPECT_EQ(planned({.nodes = {"x", "nova"}, .absent = taken}).why,
            "there is no node x: alive are atlas, nova, spare, tiny, mars");
  EXPECT_EQ(planned({.nodes = {"nova", "nova"}}).why, "the node nova is named twice");
  EXPECT_EQ(planned({.nodes = {"nova", "id-nova"}}).why, "nova and id-nova name the same node");
  EXPECT_EQ(planned({.nodes = {"nova"}, .head = "id-tiny"}).why,
            "tiny cannot be the head: it is not among the nodes that may be used");
  EXPECT_TRUE(planned({.stages = 23}).error);
  EXPECT_TRUE(planned({.shards = 5}).error);
  const Plan five = planned({.context = 2048, .stages = 5});
  ASSERT_TRUE(five.error);
  EXPECT_NE(five.error->message().find("that takes 5 nodes, and 4 can be used"), std::string::npos);
  EXPECT_EQ(five.why, "that takes 5 nodes, and 4 can be used");
  EXPECT_NE(five.error->message().find("It fits where the choice is free: "), std::string::npos);
}

// Machines are called after their kind, so a name may be that of several: nothing is placed on one
// of which nobody spoke.
TEST(Planner, ANameOfSeveralNodesIsRefused) {
  std::vector<NodeFigures> nodes;
  for (const char* id : {"aaaa-1111-x", "bbbb-2222-x", "cccc-3333-x"}) {
    nodes.push_back(sample_node({.name = "raspberrypi"}));
    nodes.back().id = id;
  }
  const LinkTable links = sample_links(nodes);
  const auto planned = [&](const PlanRequest& request) {
    return plan(sample_model(), nodes, links, request);
  };
  const std::string why =
      "3 nodes are called raspberrypi: name one by the beginning of its id (raspberrypi "
      "(aaaa-111), raspberrypi (bbbb-222), raspberrypi (cccc-333))";
  EXPECT_EQ(planned({.context = 2048, .nodes = {"raspberrypi"}}).why, why);
  EXPECT_EQ(planned({.context = 2048, .head = "raspberrypi"}).why, why);
  const Plan two = planned(
      {.context = 2048, .stages = 2, .nodes = {"bbbb", "raspberrypi (cccc-333)"}, .head = "cccc"});
  ASSERT_EQ(two.offers.size(), 1u);
  EXPECT_EQ(two.offers[0].placements[0].head, "cccc-3333-x");
  EXPECT_EQ(two.offers[0].placements[0].parts[1].node, "bbbb-2222-x");
  // A wish names its nodes by id: what is said of them is said as people see them.
  EXPECT_EQ(planned({.context = 2048,
                     .nodes = {"dddd-4444-x"},
                     .absent = {{"dddd-4444-x", "raspberrypi", kDead}}})
                .why,
            "raspberrypi (dddd-444) is dead: alive are raspberrypi (aaaa-111), raspberrypi "
            "(bbbb-222), raspberrypi (cccc-333)");
}

// Unknown is said; the model can be loaded all the same.
TEST(Planner, PlansWithoutMeasurementsButEstimatesNothing) {
  NodeFigures atlas{.id = "a", .name = "atlas", .free_bytes = 8 * kGiB};
  NodeFigures nova{.id = "b", .name = "nova", .free_bytes = 8 * kGiB};
  const NodeFigures dark{.id = "c", .name = "dark"};
  const Plan plan = checked_plan(sample_model(), {atlas, nova, dark}, {}, {.context = 2048});
  ASSERT_FALSE(plan.offers.empty());
  for (const Offer& offer : plan.offers) {
    EXPECT_FALSE(offer.estimate.one_stream_tok_s) << offer.summary;
    EXPECT_FALSE(offer.estimate.prefill_tok_s);
    EXPECT_FALSE(offer.estimate.unknown.empty());
    EXPECT_NE(offer.reason.find("not measured yet"), std::string::npos) << offer.reason;
  }
  const Offer* stages = find(plan, PlanKind::stages);
  ASSERT_NE(stages, nullptr);
  EXPECT_NEAR(stages->placements[0].parts[0].layers.size(), 11, 1);
  EXPECT_TRUE(std::ranges::any_of(plan.refusals, [](const Refusal& refusal) {
    return refusal.reason == "the free memory of dark is not known";
  }));
}

// What has been measured stands before what has not, and one node before several of which nothing
// is known; texts have names, not ids.
TEST(Planner, WhatIsNotKnownStandsBehind) {
  const std::vector<NodeFigures> nodes = {sample_node({.name = "atlas"}),
                                          sample_node({.name = "nova"}),
                                          sample_node({.name = "spare"})};
  LinkTable one_cable;
  one_cable.set({.from = "id-atlas",
                 .to = "id-nova",
                 .round_trip_s = 60e-6,
                 .exchange_s = 30e-6,
                 .bandwidth = 1.2e9,
                 .bandwidth_back = 1.2e9});
  for (const LinkTable& links : {LinkTable(), one_cable}) {
    const Plan plan = checked_plan(sample_model(), nodes, links, {.context = 2048});
    ASSERT_FALSE(plan.offers.empty());
    bool is_known = true;
    for (const Offer& offer : plan.offers) {
      const bool known = offer.estimate.one_stream_tok_s.has_value();
      EXPECT_TRUE(is_known || !known) << offer.summary;
      is_known = known;
      std::string texts = offer.summary + offer.reason;
      for (const std::string& text : offer.estimate.terms) texts += text;
      for (const std::string& text : offer.estimate.unknown) texts += text;
      EXPECT_EQ(texts.find("id-"), std::string::npos) << texts;
    }
    EXPECT_EQ(plan.offers[0].kind, links.empty() ? PlanKind::one_node : PlanKind::shards);
    EXPECT_EQ(plan.advice.find("only slow"), std::string::npos) << plan.advice;
    if (links.empty()) {
      EXPECT_NE(plan.advice.find("is not known yet (not measured: latency between"),
                std::string::npos)
          << plan.advice;
    }
  }
  // What does not fit on one node is split all the same.
  const Plan large = checked_plan(sample_model(), nodes, {}, {.context = 2048, .stages = 3});
  EXPECT_FALSE(large.offers.empty());
  std::vector<NodeFigures> bare;
  for (const char* name : {"atlas", "nova"})
    bare.push_back({.id = std::string("id-") + name, .name = name, .free_bytes = 8 * kGiB});
  EXPECT_EQ(checked_plan(sample_model(), bare, {}, {.context = 2048}).offers[0].kind,
            PlanKind::one_node);
}

// Machines may have one name; people must still be able to tell them apart.
TEST(Planner, NodesOfOneNameAreToldApart) {
  std::vector<NodeFigures> nodes = {sample_node({.name = "atlas"}), sample_node({.name = "atlas"})};
  nodes[0].id = "abcdefghijkl", nodes[1].id = "mnopqrstuvwx";
  const Plan plan = checked_plan(sample_model(), nodes, {}, {.context = 2048});
  ASSERT_FALSE(plan.offers.empty());
  EXPECT_EQ(plan.offers[0].summary, "atlas (abcdefgh) alone");
  EXPECT_EQ(checked_plan(sample_model(), nodes, {}, {.context = 2048, .head = "mnopqrstuvwx"})
                .offers[0]
                .placements[0]
                .head,
            "mnopqrstuvwx");
}

TEST(Planner, APromptLongerThanTheContextIsRefused) {
  const std::vector<NodeFigures> nodes = {sample_node({.name = "atlas"})};
  EXPECT_EQ(
      plan(sample_model(), nodes, {}, {.context = 512, .prompt_tokens = 513}).error->message(),
      "a prompt of 513 tokens is longer than the context of 512");
}

// The estimate is made of what it shows: the terms add up to the time of a token.
TEST(Planner, TermsExplainTheEstimate) {
  const std::vector<NodeFigures> nodes = {sample_node({.name = "atlas"}),
                                          sample_node({.name = "nova"})};
  const Plan plan =
      checked_plan(sample_model(), nodes, sample_links(nodes), {.context = 2048, .stages = 2});
  ASSERT_FALSE(plan.offers.empty());
  const Estimate& estimate = plan.offers[0].estimate;
  ASSERT_EQ(estimate.terms.size(), 5u);
  double sum_ms = 0;
  for (const std::string& term : estimate.terms) {
    const std::string time = term.substr(term.rfind(" = ") + 3);
    sum_ms += std::stod(time) * (time.find("us") != std::string::npos ? 1e-3 : 1);
  }
  EXPECT_NEAR(sum_ms, 1e3 / *estimate.one_stream_tok_s, 0.02 * sum_ms);
  EXPECT_EQ(estimate.terms[0], "stage 1 on atlas: 10 layers, 248 MB at 20.0 GB/s = 13.2 ms");
}

// Whoever plans, in whatever order it heard of the nodes, comes to the same: two keepers for a
// moment must not fight.
TEST(Planner, TheOrderOfNodesDoesNotMatter) {
  RandomCluster cluster = random_cluster(3, 5, kGiB, 4 * kGiB);
  const PlanRequest request{.context = 4096, .streams = 4};
  const Plan one = plan(sample_model(), cluster.nodes, cluster.links, request);
  std::ranges::reverse(cluster.nodes);
  const Plan other = plan(sample_model(), cluster.nodes, cluster.links, request);
  ASSERT_EQ(one.offers.size(), other.offers.size());
  for (std::size_t i = 0; i < one.offers.size(); ++i)
    EXPECT_EQ(one.offers[i].placements, other.offers[i].placements);
}

// Machines and models of all sorts: every offer can be loaded.
TEST(Planner, EveryOfferIsSound) {
  int fitting = 0;
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    Rng rng(seed);
    const bool on_two_machines = seed % 2 == 1;
    const std::size_t count = on_two_machines ? 5 : 1 + rng.below(4);
    RandomCluster cluster = random_cluster(seed, count, 100 * kMiB, 2 * kGiB);
    if (on_two_machines)
      for (std::size_t i = 0; i < 4; ++i) {
        NodeFigures& node = cluster.nodes[i];
        node.memory_id = i % 2 == 0 ? "even" : "odd";
        node.total_bytes = cluster.nodes[i % 2].total_bytes;
        node.free_bytes = cluster.nodes[i % 2].free_bytes;
      }
    SampleModel sample{.layers = static_cast<std::uint32_t>(1 + rng.below(30)),
                       .kv_heads = static_cast<std::uint32_t>(1 + rng.below(8)),
                       .tied = rng.below(2) == 0};
    const PlanRequest request{.context = static_cast<std::uint32_t>(64 + rng.below(4000)),
                              .streams = static_cast<std::uint32_t>(1 + rng.below(6)),
                              .objective = static_cast<Objective>(rng.below(4))};
    const Plan plan = checked_plan(sample_model(sample), cluster.nodes, cluster.links, request);
    fitting += !plan.offers.empty();
    if (testing::Test::HasFailure()) FAIL() << "seed " << seed;
  }
  EXPECT_GT(fitting, 60);
}

// 64 machines and 100 layers: what is done must stay in bounds (bench/planner_bench has the time).
TEST(Planner, WorkStaysSmallInALargeCluster) {
  const ModelFigures model = sample_model({.name = "llama-large",
                                           .layers = 100,
                                           .d_model = 8192,
                                           .ff_width = 28672,
                                           .heads = 64,
                                           .kv_heads = 8,
                                           .head_dim = 128,
                                           .vocab = 128256});
  const RandomCluster cluster = random_cluster(1, 64, 4 * kGiB, 16 * kGiB);
  const Plan plan =
      checked_plan(model, cluster.nodes, cluster.links, {.context = 8192, .streams = 8});
  ASSERT_FALSE(plan.offers.empty()) << plan.error->message();
  EXPECT_LT(plan.divisions, 1000u);
  EXPECT_FALSE(find(plan, PlanKind::stages) == nullptr);
}

// The search for many machines against all there are: near the best on clusters small enough for
// both.
TEST(Planner, TheSearchComesNearTheBest) {
  int compared = 0;
  for (std::uint64_t seed = 0; seed < 16; ++seed) {
    const RandomCluster cluster = random_cluster(seed, 5, 300 * kMiB, 900 * kMiB);
    const ModelFigures model = sample_model();
    for (const Objective objective : {Objective::one_stream, Objective::many_streams}) {
      const PlanRequest request{
          .context = 2048, .streams = 6, .kv_tokens = 4096, .objective = objective};
      const auto input = PlanInput::make(model, cluster.nodes, cluster.links, request);
      ASSERT_TRUE(input);
      const auto best_of = [&](const std::vector<Shape>& shapes) {
        double best = 0;
        for (const Shape& shape : shapes) {
          if (!allowed(*input, shape)) continue;
          auto evaluated = evaluate(*input, shape);
          if (auto* found = std::get_if<Evaluation>(&evaluated))
            best = std::max(best, found->score(objective));
        }
        return best;
      };
      const double exact = best_of(shapes_of(*input));
      if (exact <= 0) continue;
      ++compared;
      const double found = best_of(suggest_shapes(*input));
      EXPECT_GT(found, 0.7 * exact) << "seed " << seed;
    }
  }
  EXPECT_GT(compared, 20);
}

}  // namespace
}  // namespace drystone
