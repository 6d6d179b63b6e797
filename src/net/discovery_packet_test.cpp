#include "net/discovery_packet.h"

#include <gtest/gtest.h>

#include <set>

#include "net/test_bytes.h"

namespace drystone {
namespace {

const DiscoveryKey kHome = [] {
  DiscoveryKey key;
  key.fill(std::byte{1});
  return key;
}();
const DiscoveryKey kInvitation = [] {
  DiscoveryKey key;
  key.fill(std::byte{2});
  return key;
}();
const DiscoveryKey kNeighbours = [] {
  DiscoveryKey key;
  key.fill(std::byte{3});
  return key;
}();

SealedId some_id() {
  SealedId id;
  id.fill(std::byte{0x77});
  return id;
}

TEST(DiscoveryPacket, WhoKnowsTheKeyLearnsPortAndNode) {
  const DiscoveryKey keys[] = {kHome, kInvitation};
  const auto bytes = encode({.port = 8399, .node_id = some_id(), .keys = keys}, random_bytes<16>());
  const auto packet = decode_discovery_packet(bytes);
  ASSERT_TRUE(packet) << packet.error().message();
  EXPECT_EQ(packet->port, 8399);
  EXPECT_TRUE(made_with(*packet, kHome));
  EXPECT_TRUE(made_with(*packet, kInvitation));
  EXPECT_EQ(open_id(*packet, kHome), some_id());
  EXPECT_FALSE(open_id(*packet, kInvitation)) << "who is only invited learns no id";
}

// Several clusters on one LAN must not see each other.
TEST(DiscoveryPacket, AnotherClusterLearnsNothing) {
  const DiscoveryKey keys[] = {kHome};
  const auto bytes = encode({.port = 8399, .node_id = some_id(), .keys = keys}, random_bytes<16>());
  const auto packet = decode_discovery_packet(bytes).value();
  EXPECT_FALSE(made_with(packet, kNeighbours));
  EXPECT_FALSE(open_id(packet, kNeighbours));
}

// An onlooker must not follow a machine from place to place, nor count its invitations.
TEST(DiscoveryPacket, TwoPacketsOfANodeShareNothingButThePort) {
  const DiscoveryKey one_key[] = {kHome};
  const DiscoveryKey four_keys[] = {kHome, kInvitation, kNeighbours, DiscoveryKey{}};
  const auto a = encode({.port = 8399, .node_id = some_id(), .keys = one_key}, random_bytes<16>());
  const auto b =
      encode({.port = 8399, .node_id = some_id(), .keys = four_keys}, random_bytes<16>());
  ASSERT_EQ(a.size(), b.size());
  std::size_t same = 0;
  for (std::size_t i = 8; i < a.size(); ++i) same += a[i] == b[i] ? 1 : 0;
  EXPECT_LT(same, 8U) << "of 96 random bytes";
}

TEST(DiscoveryPacket, AChangedByteIsRefusedOrNoLongerMadeWithTheKey) {
  const DiscoveryKey keys[] = {kHome};
  const auto good = encode({.port = 8399, .node_id = some_id(), .keys = keys}, random_bytes<16>());
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto bytes = good;
    bytes[i] ^= std::byte{0x10};
    const auto packet = decode_discovery_packet(bytes);
    const bool in_unused_tag = i >= 8 + 16 + 16 + 16;
    EXPECT_EQ(packet && made_with(*packet, kHome), in_unused_tag) << i;
  }
}

TEST(DiscoveryPacket, RefusesOtherSizesAndVersions) {
  const DiscoveryKey keys[] = {kHome};
  auto bytes = encode({.port = 1, .node_id = some_id(), .keys = keys}, random_bytes<16>());
  EXPECT_TRUE(decode_discovery_packet({}).is(Errc::corrupt));
  EXPECT_TRUE(decode_discovery_packet(std::span(bytes).first(103)).is(Errc::corrupt));
  std::vector<std::byte> longer(bytes.begin(), bytes.end());
  longer.push_back(std::byte{0});
  EXPECT_TRUE(decode_discovery_packet(longer).is(Errc::corrupt));
  bytes[4] = std::byte{2};
  EXPECT_TRUE(decode_discovery_packet(bytes).is(Errc::corrupt));
  bytes[4] = std::byte{1};
  bytes[6] = bytes[7] = std::byte{0};
  EXPECT_TRUE(decode_discovery_packet(bytes).is(Errc::corrupt));
}

}  // namespace
}  // namespace drystone
