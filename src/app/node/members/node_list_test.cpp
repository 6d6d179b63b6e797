#include "app/node/members/node_list.h"

#include <gtest/gtest.h>

#include "app/node/wire/node_descriptor.h"

namespace drystone {
namespace {

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
