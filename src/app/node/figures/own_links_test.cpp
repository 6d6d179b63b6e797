#include "app/node/figures/own_links.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

// A cable that comes up slower, or goes, is another link: its figures must not stand for minutes.
TEST(LinkConditions, ALinkThatChangesIsMeasuredAgain) {
  using boost::asio::ip::make_address;
  Interface eth0{.name = "eth0",
                 .kind = InterfaceKind::ethernet,
                 .up = true,
                 .speed_mbit = 10000,
                 .addresses = {{.address = make_address("10.1.0.1"), .prefix_bits = 24}}};
  const boost::asio::ip::tcp::endpoint one(make_address("10.1.0.2"), 8399),
      other(make_address("10.2.0.2"), 8399);
  PeerInterface theirs{.name = "enp1", .addresses = {"10.1.0.2"}, .speed_mbit = 10000};
  const auto now = [&] { return link_conditions({eth0}, {theirs}, {one, other}); };
  const std::string before = now();
  EXPECT_EQ(link_conditions({eth0}, {theirs}, {other, one}), before) << "the order is no change";
  EXPECT_EQ(link_conditions({eth0}, {theirs}, {one}), before) << "no cable leads to the other one";
  EXPECT_NE(link_conditions({eth0}, {theirs}, {other}), before);
  EXPECT_NE(link_conditions({eth0}, {}, {one, other}), before) << "it has not told yet";
  Interface container{.name = "veth7", .kind = InterfaceKind::virtual_link, .up = true};
  EXPECT_EQ(link_conditions({eth0, container}, {theirs}, {one, other}), before);
  eth0.speed_mbit = 1000;
  EXPECT_NE(now(), before);
  eth0.speed_mbit = 10000;
  eth0.up = false;
  EXPECT_NE(now(), before);
  eth0.up = true;
  theirs.speed_mbit = 1000;
  EXPECT_NE(now(), before);
  theirs.speed_mbit = 10000;
  theirs.up = false;
  EXPECT_NE(now(), before);
}

}  // namespace
}  // namespace drystone
