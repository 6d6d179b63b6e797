#include "app/node/members/node_list.h"

#include <gtest/gtest.h>

#include "app/node/wire/node_descriptor.h"

namespace drystone {
namespace {

// Two machines may have one name: then a person says which, and nothing is removed by accident.
TEST(NodeList, ANameFindsOneNodeOrNone) {
  const std::string id(26, 'b');
  const std::map<std::string, std::string> nodes = {
      {std::string(26, 'a'), "atlas"}, {id, "twin"}, {std::string(26, 'c'), "twin"}};
  EXPECT_EQ(find_node(nodes, id).value(), id);
  EXPECT_EQ(find_node(nodes, id.substr(0, 20)).value(), id);
  EXPECT_EQ(find_node(nodes, "atlas").value(), std::string(26, 'a'));
  EXPECT_TRUE(find_node(nodes, "atla").is(Errc::not_found));
  EXPECT_TRUE(find_node(nodes, "").is(Errc::not_found));
  const auto twin = find_node(nodes, "twin");
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
