#include "cluster/membership/membership.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <queue>
#include <string>

#include "base/rng.h"

namespace drystone::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Nodes n00, n01, ... on a network whose faults a test sets. Time goes in steps of 10 ms; each node
// ticks every 100 ms, not all at once.
class Net {
 public:
  struct Node {
    std::unique_ptr<Membership> core;
    bool up = true, frozen = false;
    std::vector<NodeEvent> events;
    std::map<NodeId, Time> dead_at;  // when it last took each for dead
  };

  explicit Net(std::size_t count, std::uint64_t seed = 1) : rng_(seed) {
    for (std::size_t i = 0; i < count; ++i) ids_.insert(id(i));
    for (std::size_t i = 0; i < count; ++i) {
      nodes_.emplace_back();
      start(i, 1);
    }
  }

  static NodeId id(std::size_t i) { return (i < 10 ? "n0" : "n") + std::to_string(i); }
  Node& operator[](std::size_t i) { return nodes_[i]; }
  std::size_t size() const { return nodes_.size(); }
  Time now() const { return now_; }

  void start(std::size_t i, std::uint64_t start) {
    nodes_[i] = {.core = std::make_unique<Membership>(id(i), start, rng_.next())};
    nodes_[i].core->set_members(ids_, now_);
  }

  // Delay of a message, or none if it is lost.
  std::function<std::optional<Time>(std::size_t from, std::size_t to)> path =
      [](std::size_t, std::size_t) { return milliseconds(5); };

  void run(Time duration) {
    for (const Time end = now_ + duration; now_ < end; now_ += milliseconds(10)) {
      while (!queue_.empty() && queue_.top().at <= now_) {
        const Message message = queue_.top();
        queue_.pop();
        Node& node = nodes_[message.to];
        if (!node.up) continue;
        if (node.frozen) {
          frozen_.push_back(message);
          continue;
        }
        node.core->receive(id(message.from), message.part, now_);
        send_from(message.to);
      }
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const bool turn = (now_.count() / 10'000'000 + static_cast<std::int64_t>(i)) % 10 == 0;
        if (!turn || !nodes_[i].up || nodes_[i].frozen) continue;
        nodes_[i].core->tick(now_);
        send_from(i);
      }
    }
  }

  void thaw(std::size_t i) {
    nodes_[i].frozen = false;
    for (Message& message : std::exchange(frozen_, {})) {
      message.at = now_;
      queue_.push(message);
    }
  }

  // Pairs (of, by) where a node that is up takes another one for `state`.
  std::vector<std::string> taken_for(NodeState state) {
    std::vector<std::string> found;
    for (std::size_t by = 0; by < size(); ++by)
      for (std::size_t of = 0; of < size(); ++of)
        if (by != of && nodes_[by].up && nodes_[by].core->state(id(of)) == state)
          found.push_back(id(of) + " by " + id(by));
    return found;
  }
  bool all_alive() { return taken_for(NodeState::alive).size() == size() * (size() - 1); }
  bool ever_dead(std::size_t of) {
    return std::ranges::any_of(nodes_,
                               [&](const Node& node) { return node.dead_at.contains(id(of)); });
  }
  std::size_t events(NodeEvent::Kind kind, std::size_t of) {
    std::size_t count = 0;
    for (const Node& node : nodes_)
      count += std::ranges::count(node.events, NodeEvent{kind, id(of)});
    return count;
  }
  void forget_events() {
    for (Node& node : nodes_) node.events.clear();
  }
  std::size_t sent = 0;

 private:
  struct Message {
    Time at{};
    std::uint64_t order = 0;
    std::size_t from = 0, to = 0;
    MembershipPart part;
    bool operator>(const Message& other) const {
      return std::tie(at, order) > std::tie(other.at, other.order);
    }
  };

  void send_from(std::size_t from) {
    Node& node = nodes_[from];
    for (const NodeEvent& event : node.core->take_events()) {
      node.events.push_back(event);
      if (event.kind == NodeEvent::Kind::dead) node.dead_at[event.node] = now_;
    }
    for (Membership::Out& out : node.core->take_outputs()) {
      ++sent;
      const std::size_t to = std::stoul(out.to.substr(1));
      if (const auto delay = path(from, to))
        queue_.push({now_ + *delay, order_++, from, to, std::move(out.part)});
    }
  }

  Rng rng_;
  Time now_ = seconds(100);
  std::uint64_t order_ = 0;
  std::set<NodeId> ids_;
  std::vector<Node> nodes_;
  std::priority_queue<Message, std::vector<Message>, std::greater<>> queue_;
  std::vector<Message> frozen_;
};

class MembershipOf : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Nodes, MembershipOf, testing::Values(2, 3, 8, 32),
                         [](const auto& info) { return std::to_string(info.param); });

TEST_P(MembershipOf, AllFindEachOtherWithinASecond) {
  Net net(GetParam());
  EXPECT_FALSE(net[0].core->settled());
  net.run(seconds(1));
  EXPECT_TRUE(net.all_alive());
  EXPECT_TRUE(net[0].core->settled());
  EXPECT_EQ(net[0].core->alive().size(), GetParam());
}

// Whatever the moment at which it dies, everybody knows within 3 s: what ran there is placed again.
TEST_P(MembershipOf, ADeadNodeIsKnownEverywhereWithin3Seconds) {
  if (GetParam() == 2) GTEST_SKIP() << "with two there is nobody else to tell";
  Time worst{};
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Net net(GetParam(), seed);
    Rng rng(seed);
    net.path = [&](std::size_t, std::size_t) {
      return milliseconds(1 + static_cast<int>(rng.below(30)));
    };
    net.run(seconds(2) + milliseconds(70 * seed));
    ASSERT_TRUE(net.all_alive());
    const std::size_t victim = seed % net.size();
    const Time died = net.now();
    net[victim].up = false;
    net.run(seconds(4));
    for (std::size_t i = 0; i < net.size(); ++i) {
      if (i == victim) continue;
      ASSERT_TRUE(net[i].dead_at.contains(Net::id(victim))) << "seed " << seed << " at " << i;
      worst = std::max(worst, net[i].dead_at[Net::id(victim)] - died);
    }
    EXPECT_EQ(net.taken_for(NodeState::dead).size(), net.size() - 1) << "nobody else is dead";
  }
  EXPECT_LE(worst, milliseconds(3000));
  EXPECT_GE(worst, milliseconds(2000)) << "so early that a slow node would be thrown out";
}

// One message in five is lost: nobody is thrown out in a minute.
TEST_P(MembershipOf, LossThrowsNobodyOut) {
  Net net(GetParam());
  net.run(seconds(2));
  Rng rng(7);
  net.path = [&](std::size_t, std::size_t) {
    return rng.below(5) ? std::optional<Time>(milliseconds(5)) : std::nullopt;
  };
  net.run(seconds(30));
  for (std::size_t i = 0; i < net.size(); ++i) EXPECT_FALSE(net.ever_dead(i)) << i;
}

// A node that answers after 0.9 s is slow, not dead.
TEST_P(MembershipOf, ASlowNodeStays) {
  Net net(GetParam());
  net.path = [](std::size_t from, std::size_t) { return milliseconds(from == 1 ? 900 : 5); };
  net.run(seconds(30));
  EXPECT_TRUE(net.all_alive());
  EXPECT_FALSE(net.ever_dead(1));
  EXPECT_FALSE(net.ever_dead(0));
  EXPECT_EQ(net.events(NodeEvent::Kind::suspect, 1), 0U);
}

TEST_P(MembershipOf, APartitionLeavesBothSidesAndHealsByItself) {
  Net net(GetParam());
  net.run(seconds(2));
  net.path = [](std::size_t from, std::size_t to) {
    return from % 2 == to % 2 ? std::optional<Time>(milliseconds(5)) : std::nullopt;
  };
  net.run(seconds(60));
  for (std::size_t by = 0; by < net.size(); ++by)
    for (std::size_t of = 0; of < net.size(); ++of)
      EXPECT_EQ(net[by].core->state(Net::id(of)),
                by % 2 == of % 2 ? NodeState::alive : NodeState::dead)
          << of << " by " << by;
  net.path = [](std::size_t, std::size_t) { return milliseconds(5); };
  net.run(seconds(3));
  EXPECT_TRUE(net.all_alive());
  EXPECT_EQ(net.events(NodeEvent::Kind::restarted, 0), 0U);
}

// A process that was stopped for 10 s is dead meanwhile, and takes nobody for dead afterwards.
TEST_P(MembershipOf, AFrozenNodeIsDeadUntilItRunsOn) {
  Net net(GetParam());
  net.run(seconds(2));
  net.forget_events();
  net[0].frozen = true;
  net.run(seconds(10));
  EXPECT_EQ(net.events(NodeEvent::Kind::dead, 0), net.size() - 1);
  net.thaw(0);
  net.run(seconds(2));
  EXPECT_TRUE(net.all_alive());
  EXPECT_TRUE(net[0].dead_at.empty());
  EXPECT_EQ(net.events(NodeEvent::Kind::restarted, 0), 0U) << "it is the same process";
}

// What it held is gone, so all must know, even when it was away too shortly to be missed.
TEST_P(MembershipOf, ARestartIsSeenByAll) {
  Net net(GetParam());
  net.run(seconds(2));
  net.start(1, 2);
  net.run(seconds(1));
  EXPECT_TRUE(net.all_alive());
  EXPECT_EQ(net.events(NodeEvent::Kind::restarted, 1), net.size() - 1);
}

// Its clock went back, so its new start looks older than the one before.
TEST_P(MembershipOf, ARestartWithAnOlderClockIsSeenToo) {
  Net net(GetParam());
  net.start(1, 50);
  net.run(seconds(2));
  net.forget_events();
  net.start(1, 7);
  net.run(seconds(3));
  EXPECT_TRUE(net.all_alive());
  EXPECT_EQ(net.events(NodeEvent::Kind::restarted, 1), net.size() - 1);
  EXPECT_EQ(net[1].core->own_record().start, 51U);
  for (std::size_t i = 0; i < net.size(); ++i)
    EXPECT_EQ(net[i].core->start_of(net[1].core->self()), 51U) << i;
}

TEST_P(MembershipOf, WhoStopsInOrderIsNotMissed) {
  Net net(GetParam());
  net.run(seconds(2));
  net[1].core->leave();
  net.run(milliseconds(100));  // carries the goodbye out
  net[1].up = false;
  net.run(seconds(1));
  EXPECT_EQ(net.taken_for(NodeState::left).size(), net.size() - 1);
  net.run(seconds(10));
  EXPECT_FALSE(net.ever_dead(1));
  net.start(1, 2);
  net.run(seconds(2));
  EXPECT_TRUE(net.all_alive());
}

// The bridge node is the only one that reaches both sides.
TEST(Membership, NobodyIsThrownOutWhileOneReachesBothSides) {
  Net net(9);
  net.path = [](std::size_t from, std::size_t to) {
    const bool bridge = from == 4 || to == 4;
    return bridge || (from < 4) == (to < 4) ? std::optional<Time>(milliseconds(20)) : std::nullopt;
  };
  net.run(seconds(60));
  for (std::size_t i = 0; i < net.size(); ++i) EXPECT_FALSE(net.ever_dead(i)) << i;
  EXPECT_TRUE(net.taken_for(NodeState::dead).empty());
}

// Cuts that work in one direction only, one new set each 20 s; a path over others remains.
TEST(Membership, OneWayCutsThrowNobodyOut) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Net net(6, seed);
    net.run(seconds(2));
    Rng rng(seed);
    std::set<std::pair<std::size_t, std::size_t>> cut;
    net.path = [&](std::size_t from, std::size_t to) {
      return cut.contains({from, to}) ? std::nullopt : std::optional<Time>(milliseconds(10));
    };
    for (int phase = 0; phase < 3; ++phase) {
      cut.clear();
      for (int i = 0; i < 10; ++i) {
        const std::size_t from = rng.below(5), to = rng.below(5);  // node 5 is reached by all
        cut.insert({from, to});
      }
      net.run(seconds(20));
      for (std::size_t i = 0; i < net.size(); ++i)
        EXPECT_FALSE(net.ever_dead(i)) << "seed " << seed << " node " << i;
    }
  }
}

// A node that can neither be told nor contradict is out for all, and back when it is cured.
TEST(Membership, WhoHearsNobodyStaysForThoseWhoHearIt) {
  Net net(4);
  net.run(seconds(2));
  net.path = [](std::size_t, std::size_t to) {
    return to == 0 ? std::nullopt : std::optional<Time>(milliseconds(5));
  };
  net.run(seconds(20));
  EXPECT_EQ(net[0].core->alive(), std::vector<NodeId>{"n00"});
  net.path = [](std::size_t, std::size_t) { return milliseconds(5); };
  net.run(seconds(3));
  EXPECT_TRUE(net.all_alive());
}

TEST(Membership, WhoIsNoMemberIsForgottenAndNotListenedTo) {
  Net net(3);
  net.run(seconds(2));
  net[0].core->set_members({"n00", "n01"}, net.now());
  net.run(seconds(5));
  EXPECT_EQ(net[0].core->alive(), (std::vector<NodeId>{"n00", "n01"}));
  EXPECT_EQ(net[0].core->others().size(), 1U);
}

// The cost per node does not grow with the cluster: probes of and by a few, whatever its size.
TEST(Membership, EachNodeSendsAbout40MessagesPerSecond) {
  for (const std::size_t count : {16U, 64U}) {
    Net net(count);
    net.run(seconds(10));
    ASSERT_TRUE(net.all_alive());
    net.sent = 0;
    net.run(seconds(10));
    EXPECT_LE(net.sent / count / 10, 40U) << count;
  }
}

// News of a restart may come when that life is over, too.
TEST(NodeTable, WhoIsDeadHasNotRestarted) {
  NodeTable table("n00", 1);
  table.set_members({"n00", "n01"}, seconds(0));
  const auto learn = [&](std::uint64_t start, NodeState state) {
    table.learn({.id = "n01", .start = start, .state = state}, seconds(60));
    return table.take_events();
  };
  using Kind = NodeEvent::Kind;
  learn(1, NodeState::alive);
  EXPECT_EQ(learn(2, NodeState::dead), (std::vector<NodeEvent>{{Kind::dead, "n01"}}));
  EXPECT_EQ(learn(3, NodeState::dead), std::vector<NodeEvent>{});
  EXPECT_EQ(learn(4, NodeState::alive),
            (std::vector<NodeEvent>{{Kind::restarted, "n01"}, {Kind::alive, "n01"}}));
}

TEST(Membership, RoundTripsAreMeasured) {
  Net net(2);
  net.path = [](std::size_t, std::size_t) { return milliseconds(30); };
  net.run(seconds(2));
  EXPECT_EQ(net[0].core->round_trip("n01"), milliseconds(60));
  EXPECT_EQ(net[0].core->round_trip("n07"), std::nullopt);
}

}  // namespace
}  // namespace drystone::cluster
