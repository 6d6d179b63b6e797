#include "app/node/peers/discovery.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <set>

#include "net/loop_timer.h"

namespace drystone {
namespace {

// A node that was frozen has the time of the next packet behind it when it ends, as it does after
// `join`: what stands in the loop's queue then must not reach what is gone.
TEST(Discovery, NothingIsSentAfterItsEndThoughItsTimeHadCome) {
  boost::asio::io_context loop{1};
  const SystemClock clock;
  std::unique_ptr<Discovery> discovery;
  LoopTimer end(loop.get_executor());
  end.after(std::chrono::milliseconds(0), [&] { discovery.reset(); });
  int asked = 0;
  auto opened = Discovery::open(loop.get_executor(), clock,
                                {.keys =
                                     [&] {
                                       ++asked;
                                       return std::vector<DiscoveryKey>();
                                     },
                                 .every = [] { return std::chrono::milliseconds(0); },
                                 .heard = [](const auto&, const auto&) {}});
  ASSERT_TRUE(opened);
  discovery = *std::move(opened);
  discovery->send_now();
  loop.run();
  EXPECT_EQ(asked, 1);
}

// Whoever has a code without addresses finds its invitation in some packet, however many are open.
TEST(Discovery, EveryInvitationHasItsTurn) {
  constexpr std::size_t kInvitations = 64, kPackets = 22;  // one a second: less than a guest waits
  std::vector<DiscoveryKey> keys(1 + kInvitations);
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i].fill(static_cast<std::byte>(i));
  for (const std::size_t first : {std::size_t{0}, std::size_t{5}, std::size_t{1'000'000'007}}) {
    std::set<DiscoveryKey> said;
    for (std::size_t turn = first; turn < first + kPackets; ++turn) {
      const auto packet = keys_of_packet(keys, turn);
      ASSERT_EQ(packet.size(), DiscoveryPacket::kTagsMax);
      EXPECT_EQ(packet[0], keys[0]) << "the id is sealed under the cluster's";
      said.insert(packet.begin(), packet.end());
    }
    EXPECT_EQ(said.size(), keys.size()) << "from turn " << first;
  }
  keys.resize(DiscoveryPacket::kTagsMax);
  EXPECT_EQ(keys_of_packet(keys, 7), keys);
  EXPECT_TRUE(keys_of_packet({}, 7).empty());
}

}  // namespace
}  // namespace drystone
