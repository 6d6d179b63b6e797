#include "app/node/node_list.h"

#include <gtest/gtest.h>

#include "app/node/node_crypto.h"
#include "app/node/node_descriptor.h"

namespace drystone {
namespace {

// Two machines may have one name: then a person says which, and nothing is removed by accident.
TEST(NodeList, ANameFindsOneNodeOrNone) {
  const NodeKey keys[] = {NodeKey::make(), NodeKey::make(), NodeKey::make()};
  const NodeCrypto crypto(keys[0]);
  auto members = *cluster::MemberList::found({1}, "atlas", crypto);
  for (int i : {1, 2}) ASSERT_TRUE(members.admit(to_cluster(keys[i].public_key()), "twin", crypto));
  const std::string id = cluster::node_id(to_cluster(keys[1].public_key()), crypto);
  EXPECT_EQ(find_node(members, id).value(), id);
  EXPECT_EQ(find_node(members, id.substr(0, 20)).value(), id);
  EXPECT_EQ(find_node(members, "atlas").value(), cluster::node_id(crypto.public_key(), crypto));
  EXPECT_TRUE(find_node(members, "atla").is(Errc::not_found));
  EXPECT_TRUE(find_node(members, "").is(Errc::not_found));
  const auto twin = find_node(members, "twin");
  ASSERT_TRUE(twin.is(Errc::invalid_argument));
  EXPECT_NE(twin.error().message().find(id), std::string::npos);
}

TEST(NodeDescriptor, IsReadAsItWasWritten) {
  const NodeDescriptor descriptor{.version = "0.1.0",
                                  .api = "http://127.0.0.1:8080",
                                  .addresses = {"10.0.0.7:8399", "[2001:db8::1]:8399", "name:1"}};
  const auto read = parse_node_descriptor(to_json(descriptor));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, descriptor);
  EXPECT_EQ(endpoints_of(*read).size(), 2U) << "names of others are not looked up";
  EXPECT_TRUE(parse_node_descriptor("{}").is(Errc::corrupt));
  EXPECT_TRUE(
      parse_node_descriptor(R"({"version":"","api":"","addresses":[1]})").is(Errc::corrupt));
}

}  // namespace
}  // namespace drystone
