#include "cluster/plan/placement.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace drystone {
namespace {

namespace json = boost::json;

// Two stages, the first of two shards.
Placement sample() {
  return {
      .instance = "llama-8b",
      .model = "llama-8b",
      .epoch = {7, "aa"},
      .head = "aa",
      .shape = {.layers = 32, .kv_heads = 8, .ff_width = 14336, .vocab = 128256},
      .context = 8192,
      .kv_tokens = 16384,
      .streams = 2,
      .rows_max = 512,
      .parts = {
          {.node = "aa",
           .stage = 0,
           .rank = 0,
           .ranks = 2,
           .layers = {0, 20},
           .kv_heads = {0, 5},
           .ff = {0, 8192},
           .vocab = {0, 64128},
           .bytes = {100, 10, 1}},
          {.node = "bb",
           .stage = 0,
           .rank = 1,
           .ranks = 2,
           .layers = {0, 20},
           .kv_heads = {5, 8},
           .ff = {8192, 14336},
           .vocab = {64128, 128256}},
          {.node = "cc", .stage = 1, .layers = {20, 32}, .kv_heads = {0, 8}, .ff = {0, 14336}}}};
}

// It is read by every node of it, each of which must do exactly its part.
TEST(Placement, ComesBackAsItWas) {
  Placement placement = sample();
  placement.degraded = "nova is gone";
  placement.kv_format = KvFormat::q8_0;
  const auto again = parse_placement(json::serialize(to_json(placement)));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, placement);
}

struct Breach {
  const char* what;
  void (*make)(Placement&);
};

// A layer that nobody has, or two, gives wrong text without any error: it must not get that far.
TEST(Placement, GapsAndOverlapsAreRefused) {
  ASSERT_TRUE(validate(sample()));
  const Breach breaches[] = {
      {"a layer is missing", [](Placement& p) { p.parts[2].layers.begin = 21; }},
      {"a layer is there twice", [](Placement& p) { p.parts[2].layers.begin = 19; }},
      {"the last layer is missing", [](Placement& p) { p.parts[2].layers.end = 31; }},
      {"too many layers", [](Placement& p) { p.parts[2].layers.end = 33; }},
      {"a stage is empty",
       [](Placement& p) {
         p.parts[0].layers = p.parts[1].layers = {0, 32};
         p.parts[2].layers = {32, 32};
       }},
      {"ranks differ in layers", [](Placement& p) { p.parts[1].layers = {0, 19}; }},
      {"a KV head is missing", [](Placement& p) { p.parts[1].kv_heads.begin = 6; }},
      {"a KV head is there twice", [](Placement& p) { p.parts[1].kv_heads.begin = 4; }},
      {"a rank has no KV head",
       [](Placement& p) {
         p.parts[0].kv_heads = {0, 8};
         p.parts[1].kv_heads = {8, 8};
       }},
      {"columns are missing", [](Placement& p) { p.parts[2].ff.end -= 32; }},
      {"vocabulary is missing", [](Placement& p) { p.parts[1].vocab.end -= 1; }},
      {"vocabulary behind the first stage", [](Placement& p) { p.parts[2].vocab = {0, 10}; }},
      {"a rank is missing", [](Placement& p) { p.parts.erase(p.parts.begin() + 1); }},
      {"ranks in the wrong order", [](Placement& p) { std::swap(p.parts[0], p.parts[1]); }},
      {"a node stands twice", [](Placement& p) { p.parts[2].node = "aa"; }},
      {"another head", [](Placement& p) { p.head = "bb"; }},
      {"no parts", [](Placement& p) { p.parts.clear(); }},
      {"stages do not count up", [](Placement& p) { p.parts[2].stage = 2; }},
      {"no ranks", [](Placement& p) { p.parts[0].ranks = 0; }},
  };
  for (const Breach& breach : breaches) {
    Placement placement = sample();
    breach.make(placement);
    EXPECT_TRUE(validate(placement).is(Errc::corrupt)) << breach.what;
  }
}

// A field that one version knows and another does not would be two placements under one epoch.
TEST(Placement, UnknownFieldsAreRefused) {
  json::object placement = to_json(sample());
  placement["experts"] = json::array({0, 8});
  const auto read = placement_from_json(placement);
  ASSERT_TRUE(read.is(Errc::corrupt));
  EXPECT_EQ(read.error().message(), "placement: \"experts\" is not known");
}

TEST(Placement, ForeignBytesAreRefused) {
  EXPECT_TRUE(parse_placement("").is(Errc::corrupt));
  EXPECT_TRUE(parse_placement("[]").is(Errc::corrupt));
  EXPECT_TRUE(parse_placement(std::string(100, '[')).is(Errc::corrupt));
  EXPECT_TRUE(parse_placement(std::string(kPlacementJsonMax + 1, ' ')).is(Errc::limit));
  json::object placement = to_json(sample());
  placement["parts"].as_array()[0].as_object()["layers"] = json::array({0, -20});
  EXPECT_TRUE(placement_from_json(placement).is(Errc::corrupt));
  placement["parts"] = json::array(kPartsMax + 1);
  EXPECT_TRUE(placement_from_json(placement).is(Errc::corrupt));
}

TEST(Placement, HigherEpochsHoldThenHigherKeepers) {
  EXPECT_LT((Epoch{1, "z"}), (Epoch{2, "a"}));
  EXPECT_LT((Epoch{2, "a"}), (Epoch{2, "b"}));
}

TEST(Placement, FindsThePartOfANode) {
  const Placement placement = sample();
  EXPECT_EQ(placement.stages(), 2u);
  EXPECT_EQ(placement.part_of("bb")->rank, 1u);
  EXPECT_EQ(placement.part_of("dd"), nullptr);
  EXPECT_EQ(placement.index_of("bb"), 1u);
  EXPECT_EQ(placement.index_of("dd"), std::nullopt);
}

}  // namespace
}  // namespace drystone
