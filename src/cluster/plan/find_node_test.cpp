#include "cluster/plan/find_node.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

// Two machines may have one name: then a person says which, and nothing is removed by accident.
TEST(FindNode, ANameFindsOneNodeOrNone) {
  const std::string id(26, 'b');
  const std::map<std::string, std::string> nodes = {
      {std::string(26, 'a'), "atlas"}, {id, "twin"}, {std::string(26, 'c'), "twin"}};
  EXPECT_EQ(find_node(nodes, id).value(), id);
  EXPECT_EQ(find_node(nodes, id.substr(0, 20)).value(), id);
  EXPECT_EQ(find_node(nodes, "bbbb").value(), id);
  EXPECT_EQ(find_node(nodes, "twin (bbbbbbbb)").value(), id) << "as it is shown";
  EXPECT_EQ(find_node(nodes, "atlas").value(), std::string(26, 'a'));
  EXPECT_TRUE(find_node(nodes, "atla").is(Errc::not_found));
  EXPECT_TRUE(find_node(nodes, "bbb").is(Errc::not_found));
  EXPECT_TRUE(find_node(nodes, "").is(Errc::not_found));
  const auto twin = find_node(nodes, "twin");
  ASSERT_TRUE(twin.is(Errc::invalid_argument));
  EXPECT_EQ(twin.error().message(),
            "2 nodes are called twin: name one by the beginning of its id (twin (bbbbbbbb), twin "
            "(cccccccc))");
}

}  // namespace
}  // namespace drystone
