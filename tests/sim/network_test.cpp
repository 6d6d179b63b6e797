#include "network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "scenario.h"

namespace drystone::sim {
namespace {

// Sends numbered packets to machine 1, notes what comes.
class Talker final : public SimNode {
 public:
  Talker(bool talks, bool ordered) : talks_(talks), ordered_(ordered) {}
  void tick(Time) override {
    ++ticks;
    for (int i = 0; talks_ && i < 5; ++i)
      outbox_.push_back({.peer = 1, .text = std::to_string(sent++), .ordered = ordered_});
  }
  void receive(const Packet& packet, Time) override { received.push_back(std::stoi(packet.text)); }
  std::vector<Packet> take_outbox() override { return std::exchange(outbox_, {}); }
  void broken(std::size_t peer, int, Time) override {
    EXPECT_EQ(peer, 1U);
    ++breaks;
  }

  int ticks = 0, sent = 0, breaks = 0;
  std::vector<int> received;

 private:
  bool talks_, ordered_;
  std::vector<Packet> outbox_;
};

struct Two {
  explicit Two(bool ordered) : from(true, ordered), to(false, ordered) {
    network.add_machine();
    network.add_machine();
    network.start(0, from);
    network.start(1, to);
  }
  void run(Time duration) { network.run_until(network.now() + duration); }
  Network network{7};
  Talker from, to;
};

TEST(Network, LosesDoublesAndReordersPackets) {
  Two two(/*ordered=*/false);
  two.network.weather = {.loss = 0.2, .doubled = 0.2, .delay_max = milliseconds(500)};
  two.run(seconds(20));
  EXPECT_FALSE(std::ranges::is_sorted(two.to.received));
  std::set<int> distinct(two.to.received.begin(), two.to.received.end());
  EXPECT_LT(distinct.size(), two.to.received.size());
  EXPECT_LT(distinct.size(), 0.9 * two.from.sent);
  EXPECT_GT(distinct.size(), 0.7 * two.from.sent);
}

TEST(Network, OrderedPacketsAllComeInOrder) {
  Two two(/*ordered=*/true);
  two.network.weather = {.loss = 0.5, .doubled = 0.5, .delay_max = milliseconds(500)};
  two.run(seconds(20));
  two.network.crash(0);
  two.run(seconds(1));
  ASSERT_EQ(two.to.received.size(), static_cast<std::size_t>(two.from.sent));
  for (int i = 0; i < two.from.sent; ++i) EXPECT_EQ(two.to.received[i], i);
  EXPECT_EQ(two.from.breaks, 0);
}

TEST(Network, ABrokenStreamIsReported) {
  Two two(/*ordered=*/true);
  two.run(seconds(1));
  two.network.cut(0, 1, true);
  two.run(seconds(1));
  const std::size_t before = two.to.received.size();
  EXPECT_GT(two.from.breaks, 0);
  two.run(seconds(1));
  EXPECT_EQ(two.to.received.size(), before);
  two.network.cut(0, 1, false);
  two.run(seconds(1));
  EXPECT_GT(two.to.received.size(), before);
}

TEST(Network, AFrozenMachineFindsItsPacketsAfterwards) {
  Two two(/*ordered=*/false);
  two.run(seconds(1));
  two.network.freeze(1, true);
  const int ticks = two.to.ticks;
  const std::size_t before = two.to.received.size();
  two.run(seconds(2));
  EXPECT_EQ(two.to.ticks, ticks);
  EXPECT_EQ(two.to.received.size(), before);
  two.network.freeze(1, false);
  two.run(milliseconds(1));
  EXPECT_GT(two.to.received.size(), before + 80);
}

TEST(Network, ACrashedMachineLosesWhatWasOnItsWay) {
  Two two(/*ordered=*/false);
  two.network.weather = {.delay_min = milliseconds(400), .delay_max = milliseconds(500)};
  two.run(seconds(1));
  two.network.crash(1);
  Talker again(false, false);
  two.network.start(1, again);
  two.run(milliseconds(350));
  EXPECT_TRUE(again.received.empty());
}

// A replay command is worth nothing if the seed does not decide everything.
TEST(Scenario, ASeedDecidesEverything) {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    const Outcome once = run_scenario(seed), again = run_scenario(seed);
    EXPECT_EQ(once.log, again.log);
    EXPECT_EQ(once.packets, again.packets);
    EXPECT_GT(once.packets, 100U);
  }
}

}  // namespace
}  // namespace drystone::sim
