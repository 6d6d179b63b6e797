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
  const std::string before = link_conditions({eth0}, {one, other});
  EXPECT_EQ(link_conditions({eth0}, {other, one}), before) << "the order is no change";
  EXPECT_NE(link_conditions({eth0}, {one}), before);
  eth0.speed_mbit = 1000;
  EXPECT_NE(link_conditions({eth0}, {one, other}), before);
  eth0.speed_mbit = 10000;
  eth0.up = false;
  EXPECT_NE(link_conditions({eth0}, {one, other}), before);
}

}  // namespace
}  // namespace drystone
