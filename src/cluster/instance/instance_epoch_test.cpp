#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <optional>

#include "cluster/instance/instance_core.h"
#include "cluster/instance/test_instances.h"

namespace drystone {
namespace {

// Epochs as they stand in the map, whatever order writings come in.

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
TEST(InstanceEpoch, AnEpochThatALaterWritingHidIsNotUsedAgain) {
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
TEST(InstanceEpoch, AnEpochThatStandsForAnotherPlacementIsReplaced) {
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

// A part that comes over a slow cable is not one that hangs.
TEST(InstanceEpoch, APartThatLoadsSlowlyIsLeftAlone) {
  LoneCore lone({"llama"});
  lone.figures("a", kLarge);
  lone.put("want/llama", to_json(kWanted));
  const auto placed = lone.at(30);
  ASSERT_EQ(placed.size(), 1u);
  const int stall_s = static_cast<int>(Keeper::kLoadStall / std::chrono::seconds(1));
  int now_s = 30;
  for (double done = 0.001; now_s < 30 + 3 * stall_s; done += 0.001) {
    lone.core->part_progress("llama", placed[0].epoch, done);
    EXPECT_TRUE(lone.at(now_s += 5).empty()) << now_s;
  }
  bool replaced = false;
  for (const int hung = now_s; now_s < hung + stall_s + 60 && !replaced;)
    replaced = !lone.at(now_s += 5).empty();
  EXPECT_TRUE(replaced);
}

// Whatever order the writings of several keepers come in: parts only ever go forward.
TEST(InstanceEpoch, APartIsNeverHandedOutUnderALowerEpochThanBefore) {
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
TEST(InstanceEpoch, WhatGivesWayMakesRoomForOthers) {
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
TEST(InstanceEpoch, UnloadedAndWantedAgainAtOnceBeginsWithTheNextEpoch) {
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

}  // namespace
}  // namespace drystone
