#include "app/node/members/belonging.h"

#include <gtest/gtest.h>

#include "app/node/peers/node_crypto.h"

namespace drystone {
namespace {

struct Node {
  NodeKey key = NodeKey::make();
  NodeCrypto crypto{key};
};

// What a stranger may do decides over the whole cluster.
TEST(Belonging, WhoMayConnectAsWhat) {
  Node ours, other, stranger;
  auto members = *cluster::MemberList::found({1}, "ours", ours.crypto);
  ASSERT_TRUE(members.admit(other.crypto.public_key(), "other", ours.crypto));
  Belonging belonging;
  belonging.follow(members);
  const auto admits = [&](const Node& node, Protocol protocol, TlsSide side) {
    return belonging.admits({.key = node.key.public_key(), .protocol = protocol, .our_side = side});
  };
  for (const auto protocol : {Protocol::control, Protocol::data})
    for (const auto side : {TlsSide::server, TlsSide::client}) {
      EXPECT_TRUE(admits(other, protocol, side));
      EXPECT_FALSE(admits(stranger, protocol, side));
    }

  belonging.set_strangers_welcome(true);
  EXPECT_TRUE(admits(stranger, Protocol::control, TlsSide::server));
  EXPECT_FALSE(admits(stranger, Protocol::control, TlsSide::client));
  EXPECT_FALSE(admits(stranger, Protocol::data, TlsSide::server));
  belonging.set_strangers_welcome(false);
  EXPECT_FALSE(admits(stranger, Protocol::control, TlsSide::server));

  // Who was put out is heard, to be told so, and nothing else.
  ASSERT_TRUE(members.remove(other.crypto.public_key(), ours.crypto));
  belonging.follow(members);
  EXPECT_FALSE(belonging.is_member(other.key.public_key()));
  EXPECT_TRUE(admits(other, Protocol::control, TlsSide::server));
  EXPECT_FALSE(admits(other, Protocol::data, TlsSide::server));
  EXPECT_FALSE(admits(other, Protocol::data, TlsSide::client));
}

}  // namespace
}  // namespace drystone
