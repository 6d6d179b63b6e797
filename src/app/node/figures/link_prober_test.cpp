#include "app/node/figures/link_prober.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace drystone {
namespace {

using boost::asio::ip::make_address;

Interface interface(const char* name, const char* address, bool up = true) {
  return {.name = name,
          .kind = InterfaceKind::ethernet,
          .up = up,
          .addresses = {{.address = make_address(address), .prefix_bits = 24}}};
}

boost::asio::ip::tcp::endpoint at(const char* address) { return {make_address(address), 8399}; }

// Two cables between two machines are two links, and only measuring tells which one is better.
TEST(LinkPaths, EachPairOfInterfacesIsMeasured) {
  const auto paths = link_paths(
      {interface("eth0", "10.1.0.1"), interface("eth1", "10.2.0.1"),
       interface("eth2", "10.3.0.1", false)},
      {{"enp1", {"10.1.0.2", "10.1.0.3"}}, {"enp2", {"10.2.0.2"}}},
      {at("10.2.0.2"), at("10.1.0.2"), at("10.1.0.3"), at("10.3.0.2"), at("192.168.7.7")});
  ASSERT_EQ(paths.size(), 2u);
  EXPECT_EQ(paths[0].from_interface, "eth1");
  EXPECT_EQ(paths[0].to_interface, "enp2");
  EXPECT_EQ(paths[1].from_interface, "eth0");
  EXPECT_EQ(*paths[1].from, make_address("10.1.0.1"));
  EXPECT_EQ(paths[1].to, std::vector{at("10.1.0.2")});
}

// Behind a router, or a VPN of its own, the system knows the way.
TEST(LinkPaths, WithoutACommonNetworkTheSystemChooses) {
  const std::vector<boost::asio::ip::tcp::endpoint> addresses = {at("192.168.7.7"),
                                                                 at("172.16.1.1")};
  const auto paths = link_paths({interface("eth0", "10.1.0.1")}, {}, addresses);
  ASSERT_EQ(paths.size(), 1u);
  EXPECT_FALSE(paths[0].from);
  EXPECT_EQ(paths[0].to, addresses);
}

TEST(PeerInterfaces, AreReadFromWhatAPeerTells) {
  const auto found = peer_interfaces(boost::json::parse(
      R"({"id": "x", "machine": {"interfaces": [{"name": "eth0", "addresses": ["10.1.0.2"]}, 7,
          {"name": "eth1"}, {"name": "eth2", "addresses": [1, "10.2.0.2"], "up": false,
          "speed_mbit": 2500}, {"name": "eth3", "addresses": [], "up": 1, "speed_mbit": -4}]}})"));
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].addresses, std::vector<std::string>{"10.1.0.2"});
  EXPECT_TRUE(found[0].up);
  EXPECT_EQ(found[0].speed_mbit, 0u);
  EXPECT_EQ(found[1].addresses, std::vector<std::string>{"10.2.0.2"});
  EXPECT_FALSE(found[1].up);
  EXPECT_EQ(found[1].speed_mbit, 2500u);
  EXPECT_TRUE(found[2].up);
  EXPECT_EQ(found[2].speed_mbit, 0u);
  EXPECT_TRUE(peer_interfaces(boost::json::value(7)).empty());
}

}  // namespace
}  // namespace drystone
