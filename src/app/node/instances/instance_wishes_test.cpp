#include "app/node/instances/instance_wishes.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <vector>

#include "app/node/measure/test_clock.h"
#include "cluster/instance/place_value.h"
#include "cluster/plan/planner.h"
#include "cluster/plan/sample_cluster.h"

namespace drystone {
namespace {

namespace json = boost::json;

class InstanceWishesTest : public testing::Test {
 protected:
  Result<void> put(const std::string& key, const json::value& value) {
    const std::string text = json::serialize(value);
    view_.set(key, value.is_null() ? nullptr : &text);
    map_.changed(key);
    return {};
  }
  static ModelCatalog::Found found(const std::string& model, const std::string& identity = "file",
                                   std::vector<std::string> holders = {"1"}) {
    return {.source = {.model = model,
                       .identity = identity,
                       .path = "/models/" + identity + ".gguf",
                       .holders = std::move(holders)},
            .figures = sample_model({.name = model})};
  }
  static DesiredInstance wish(const std::string& model) {
    return {.model = model, .context = 1024};
  }
  // As its keeper does; the nodes have not ended it yet.
  void place(const std::string& instance) {
    const NodeFigures node = sample_node({.name = "atlas"});
    const Plan made = plan(sample_model({.name = model_of_instance(instance)}), {node}, {},
                           {.instance = instance, .context = 1024});
    Placement placement = made.offers.at(0).placements.at(0);
    placement.epoch = {1, node.id};
    ASSERT_TRUE(put(place_key(instance),
                    to_json(PlaceValue{.epoch = placement.epoch, .placement = placement})));
  }
  std::size_t known_models() const { return view_.keys(kSourcePrefix).size(); }

  TestClock clock_;
  InstanceView view_;
  InstanceMap map_{view_};
  int changes_ = 0;
  InstanceWishes wishes_{
      {.map = map_,
       .view = view_,
       .clock = clock_,
       .put = [this](const std::string& key, const json::value& value) { return put(key, value); },
       .changed = [this] { ++changes_; }}};
};

// Any node can load it from then on, and who has loaded it knows its own wish again by the number.
TEST_F(InstanceWishesTest, AWishCarriesTheModelAndAnotherNumberEachTime) {
  clock_.pass(7);
  const auto first = wishes_.want(found("llama"), wish("llama"));
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(first->asked, 7000u);
  const auto second = wishes_.want(found("llama"), wish("llama"));  // within the same millisecond
  ASSERT_TRUE(second);
  EXPECT_EQ(second->asked, 7001u);
  EXPECT_EQ(changes_, 2);
  EXPECT_EQ(map_.wanted().at("llama").asked, 7001u);
  const auto known = wishes_.known("llama");
  ASSERT_TRUE(known);
  EXPECT_EQ(known->source.identity, "file");
  EXPECT_EQ(known->figures.layers.size(), found("llama").figures.layers.size());
  EXPECT_TRUE(wishes_.known("qwen").is(Errc::not_found));
}

// Two files of one name must not be mixed: parts of both would make one wrong model.
TEST_F(InstanceWishesTest, ANameBelongsToOneFileUntilItsModelIsGone) {
  ASSERT_TRUE(wishes_.want(found("llama"), wish("llama")));
  place("llama#1");
  const auto taken = wishes_.want(found("llama", "another"), wish("llama"));
  ASSERT_TRUE(taken.is(Errc::invalid_argument));
  EXPECT_NE(taken.error().message().find("/models/file.gguf"), std::string::npos);
  EXPECT_EQ(view_.source("llama")->identity, "file") << "nothing was changed";
  ASSERT_TRUE(wishes_.unwant("llama"));
  EXPECT_TRUE(wishes_.want(found("llama", "another"), wish("llama")).is(Errc::unavailable))
      << "a replica of it still runs";
  ASSERT_TRUE(put(place_key("llama#1"), nullptr));
  EXPECT_TRUE(wishes_.want(found("llama", "another"), wish("llama")));
  EXPECT_EQ(view_.source("llama")->identity, "another");
}

TEST_F(InstanceWishesTest, WhoHasTheFileIsNotForgotten) {
  ASSERT_TRUE(wishes_.want(found("llama", "file", {"1", "2"}), wish("llama")));
  ASSERT_TRUE(wishes_.want(found("llama", "file", {"3", "1"}), wish("llama")));
  EXPECT_EQ(view_.source("llama")->holders, (std::vector<std::string>{"3", "1", "2"}));
}

TEST_F(InstanceWishesTest, WhatIsNotLoadedIsNamedWithWhatIs) {
  const auto nothing = wishes_.unwant("llama");
  ASSERT_TRUE(nothing.is(Errc::not_found));
  EXPECT_EQ(nothing.error().message(), "llama is not loaded; loaded: nothing");
  ASSERT_TRUE(wishes_.want(found("pebble"), wish("pebble")));
  ASSERT_TRUE(wishes_.want(found("qwen"), wish("qwen")));
  EXPECT_EQ(wishes_.unwant("llama").error().message(), "llama is not loaded; loaded: pebble, qwen");
}

// What is wanted beyond the limit nobody would place, and it could push out what runs.
TEST_F(InstanceWishesTest, MoreInstancesThanAClusterRunsAreRefused) {
  const std::size_t full = kInstancesMax / kReplicasMax;
  for (std::size_t i = 0; i < full; ++i) {
    DesiredInstance many = wish(fmt::format("many-{}", i));
    many.replicas = kReplicasMax;
    ASSERT_TRUE(wishes_.want(found(many.model), many));
  }
  const auto refused = wishes_.want(found("also"), wish("also"));
  ASSERT_TRUE(refused.is(Errc::limit));
  EXPECT_EQ(refused.error().message(),
            "256 instances are wanted of other models, and with 1 of also they would be more than "
            "256: `drystone unload MODEL` ends those of one");
  EXPECT_EQ(view_.get(want_key("also")), nullptr);
  EXPECT_EQ(known_models(), full);
  DesiredInstance fewer = wish("many-0");
  fewer.replicas = kReplicasMax - 1;
  ASSERT_TRUE(wishes_.want(found("many-0"), fewer)) << "its own make room";
  EXPECT_TRUE(wishes_.want(found("also"), wish("also")));
}

// The shared state is bounded, and what runs must stay known whatever else was loaded once.
TEST_F(InstanceWishesTest, OnlyModelsThatNobodyNeedsAreForgotten) {
  ASSERT_TRUE(wishes_.want(found("a-wanted"), wish("a-wanted")));
  ASSERT_TRUE(wishes_.want(found("a-placed"), wish("a-placed")));
  place("a-placed");
  ASSERT_TRUE(wishes_.unwant("a-placed"));
  const std::size_t more = InstanceWishes::kUnloadedMax + 10;
  for (std::size_t i = 0; i < more; ++i) {
    const std::string model = fmt::format("model-{:04}", i);
    ASSERT_TRUE(wishes_.want(found(model), wish(model)));
    ASSERT_TRUE(wishes_.unwant(model));
  }
  EXPECT_LE(known_models(), InstanceWishes::kUnloadedMax + 1);
  EXPECT_TRUE(wishes_.known("a-wanted"));
  EXPECT_TRUE(wishes_.known("a-placed"));
  EXPECT_TRUE(wishes_.known("model-0000").is(Errc::not_found));
  EXPECT_EQ(view_.get("model/model-0000"), nullptr);
  EXPECT_TRUE(wishes_.known(fmt::format("model-{:04}", more - 1)));
}

}  // namespace
}  // namespace drystone
