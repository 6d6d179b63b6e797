#include "app/node/instances/free_machines.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <memory>

#include "app/node/instances/instance_view.h"
#include "cluster/instance/place_value.h"
#include "cluster/plan/sample_cluster.h"
#include "cluster/wire/test_crypto.h"

namespace drystone {
namespace {

using cluster::ClusterCore;
using cluster::MemberList;
using cluster::TestCrypto;

constexpr Bytes kReserved = 5 * kGiB;

// A node that is alone alive in a cluster of which nova is dead and spare was removed.
class FreeMachinesTest : public testing::Test {
 protected:
  FreeMachinesTest() {
    MemberList list = *MemberList::found({1}, "atlas", ours_);
    EXPECT_TRUE(list.admit(nova_.public_key(), "nova", ours_));
    EXPECT_TRUE(list.admit(spare_.public_key(), "spare", ours_));
    EXPECT_TRUE(list.remove(spare_.public_key(), ours_));
    core_ = *ClusterCore::joined(std::move(list), {.members = {}, .discovery = "null"}, ours_, {},
                                 ClusterCore::Wall(std::chrono::seconds(1'800'000'000)));
    figures_ = sample_node({.name = "atlas"});
    figures_.id = core_->self();
    figures_.reserved_bytes = kReserved;
  }
  void tell(const std::string& key, const boost::json::object& value) {
    const std::string text = boost::json::serialize(value);
    view_.set(key, &text);
    map_.changed(key);
  }
  void tell_figures() { tell(std::string(kFiguresPrefix) + figures_.id, to_json(figures_)); }
  void want(const std::string& model) {
    tell(want_key(model), to_json(DesiredInstance{.model = model, .replicas = 2}));
  }
  void unload(const std::string& model) {
    view_.set(want_key(model), nullptr);
    map_.changed(want_key(model));
  }
  // The bytes that it takes of the one node.
  Bytes place(const std::string& instance, const std::string& model) {
    PlanRequest request{.instance = instance, .context = 1024};
    const Plan found = plan(sample_model({.name = model}), {figures_}, {}, request);
    Placement placement = found.offers.at(0).placements.at(0);
    placement.epoch = {1, figures_.id};
    want(model);
    tell(place_key(instance),
         to_json(PlaceValue{.epoch = placement.epoch, .placement = placement}));
    return placement.parts.at(0).bytes.total();
  }
  FreeMachines free_for(const std::string& model) { return free_machines(map_, *core_, model); }

  TestCrypto ours_{1}, nova_{2}, spare_{3};
  std::unique_ptr<ClusterCore> core_;
  InstanceView view_;
  InstanceMap map_{view_};
  NodeFigures figures_;
};

// A model that is asked for anew would give back what it has; what others have is taken.
TEST_F(FreeMachinesTest, WhatTheModelHasCountsAsFree) {
  tell_figures();
  const Bytes first = place("llama", "llama"), second = place("llama#1", "llama");
  const Bytes other = place("qwen", "qwen");
  ASSERT_EQ(free_for("llama").nodes.size(), 1u);
  EXPECT_EQ(free_for("llama").nodes[0].reserved_bytes, other);
  EXPECT_EQ(free_for("phi").nodes[0].reserved_bytes, first + second + other);
}

// Nodes tell every few seconds what they have reserved.
TEST_F(FreeMachinesTest, WhatWasUnloadedIsFreeAtOnce) {
  tell_figures();
  place("llama", "llama");
  unload("llama");
  EXPECT_EQ(free_for("qwen").nodes[0].reserved_bytes, 0u);
  EXPECT_EQ(free_for("qwen").nodes[0].free_bytes, *figures_.free_bytes + kReserved);
}

// Placed and not loaded yet: the ledger knows of less than the placement takes.
TEST_F(FreeMachinesTest, NothingIsFreeTwice) {
  figures_.reserved_bytes = 1;
  tell_figures();
  const Bytes taken = place("llama", "llama");
  EXPECT_EQ(free_for("llama").nodes[0].reserved_bytes, 0u);
  EXPECT_EQ(free_for("qwen").nodes[0].reserved_bytes, taken);
}

TEST_F(FreeMachinesTest, SaysWhatBecameOfTheOthers) {
  const auto why = [&](const std::string& name) {
    std::string found;
    for (const AbsentNode& node : free_for("llama").absent)
      if (node.name == name) found += node.why;
    return found;
  };
  EXPECT_EQ(why("nova"), kDead);
  EXPECT_EQ(why("spare"), kRemoved);
  EXPECT_EQ(why("atlas"), "") << "it is there";
}

TEST_F(FreeMachinesTest, PlansWithWhatIsThereAndNamesWhatIsNot) {
  const ModelFigures model = sample_model({.name = "llama"});
  DesiredInstance desired{.model = "llama", .context = 1024};
  const Plan none = plan_on(free_for("llama"), model, desired, 0);
  ASSERT_TRUE(none.error && none.offers.empty());
  EXPECT_EQ(none.error->code(), Errc::unavailable) << "its figures are not known";
  tell_figures();
  EXPECT_FALSE(plan_on(free_for("llama"), model, desired, 0).offers.empty());
  desired.nodes = {"nova"};
  EXPECT_EQ(plan_on(free_for("llama"), model, desired, 0).why, "nova is dead: alive are atlas");
  desired.nodes.clear();
  desired.replicas = 2;
  EXPECT_EQ(plan_on(free_for("llama"), model, desired, 0).why,
            "that takes 2 nodes, and 1 can be used");
}

// A node that comes later may have the name of one that was asked for, and changes nothing.
TEST_F(FreeMachinesTest, AWishNamesItsNodesByTheirIds) {
  tell_figures();
  const FreeMachines machines = free_for("llama");
  DesiredInstance desired{
      .model = "llama", .nodes = {"atlas", "nova"}, .head = figures_.id.substr(0, 6)};
  desired = with_ids(desired, machines);
  EXPECT_EQ(desired.nodes, (std::vector<std::string>{figures_.id, "nova"})) << "nova is dead";
  EXPECT_EQ(desired.head, figures_.id);
  EXPECT_EQ(with_ids(desired, machines), desired);
}

}  // namespace
}  // namespace drystone
