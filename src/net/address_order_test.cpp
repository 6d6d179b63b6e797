#include "net/address_order.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

using boost::asio::ip::make_address;
using boost::asio::ip::tcp;

Interface interface(const char* name, InterfaceKind kind, const char* address,
                    std::optional<std::uint32_t> speed_mbit) {
  return {.name = name,
          .index = 1,
          .kind = kind,
          .up = true,
          .speed_mbit = speed_mbit,
          .addresses = {{make_address(address), 24}}};
}

std::vector<std::string> order(std::vector<const char*> addresses,
                               std::span<const Interface> interfaces) {
  std::vector<tcp::endpoint> endpoints;
  for (const char* address : addresses) endpoints.emplace_back(make_address(address), 8399);
  std::vector<std::string> out;
  for (const auto& endpoint : fast_addresses_first(endpoints, interfaces))
    out.push_back(endpoint.address().to_string());
  return out;
}

// A laptop on wifi and on a cable must send activations through the cable.
TEST(AddressOrder, FastCablesComeBeforeSlowOnesBeforeWifiBeforeRouters) {
  const Interface interfaces[] = {
      interface("wlan0", InterfaceKind::wifi, "192.168.1.5", std::nullopt),
      interface("eth0", InterfaceKind::ethernet, "10.1.0.5", 1000),
      interface("eth1", InterfaceKind::ethernet, "10.2.0.5", 10000),
      interface("eth2", InterfaceKind::ethernet, "10.3.0.5", std::nullopt),
      interface("thunderbolt0", InterfaceKind::thunderbolt, "10.4.0.5", std::nullopt)};
  EXPECT_EQ(
      order({"8.8.8.8", "192.168.1.7", "10.3.0.7", "10.1.0.7", "10.2.0.7", "10.4.0.7"}, interfaces),
      (std::vector<std::string>{"10.4.0.7", "10.2.0.7", "10.1.0.7", "10.3.0.7", "192.168.1.7",
                                "8.8.8.8"}));
}

TEST(AddressOrder, EqualsKeepTheirOrderAndCopiesGo) {
  EXPECT_EQ(order({"9.9.9.9", "8.8.8.8", "9.9.9.9"}, {}),
            (std::vector<std::string>{"9.9.9.9", "8.8.8.8"}));
}

TEST(AddressOrder, AnInterfaceThatIsDownReachesNothing) {
  Interface down = interface("eth1", InterfaceKind::ethernet, "10.2.0.5", 10000);
  down.up = false;
  const Interface interfaces[] = {
      down, interface("wlan0", InterfaceKind::wifi, "192.168.1.5", std::nullopt)};
  EXPECT_EQ(order({"10.2.0.7", "192.168.1.7"}, interfaces),
            (std::vector<std::string>{"192.168.1.7", "10.2.0.7"}));
}

TEST(HostPort, IsReadFromTheFormsThatPeopleWrite) {
  const auto expect = [](std::string_view text, std::string_view host, std::uint16_t port) {
    const auto parsed = parse_host_port(text);
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(parsed->host, host);
    EXPECT_EQ(parsed->port, port);
  };
  expect("10.0.0.7:8399", "10.0.0.7", 8399);
  expect("[fe80::1%eth0]:1", "fe80::1%eth0", 1);
  expect("atlas.local:65535", "atlas.local", 65535);
}

TEST(HostPort, RefusesWhatIsNone) {
  for (const char* text : {"", ":", "x", "x:", ":80", "x:0", "x:65536", "x:+1", "x:80 ", "::1:80",
                           "[::1]", "[]:80", "[x:80", "a]b:80"})
    EXPECT_TRUE(parse_host_port(text).is(Errc::invalid_argument)) << text;
  EXPECT_TRUE(parse_host_port(std::string(300, 'x') + ":80").is(Errc::invalid_argument));
}

}  // namespace
}  // namespace drystone
