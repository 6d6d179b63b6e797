#include "app/node/members/node_name.h"

#include <gtest/gtest.h>

#include "cluster/plan/find_node.h"
#include "cluster/wire/test_crypto.h"

namespace drystone {
namespace {

// A node that is called otherwise is found by its new name, also in its next life, and by its old
// one no more.
TEST(NodeName, ANodeIsCalledWhatItSaysItself) {
  cluster::TestCrypto crypto(1);
  const Clock::WallTime wall(std::chrono::hours(24 * 365 * 56));
  const cluster::ClusterCore::Options options{.start = 1, .seed = 1};
  const auto core = *cluster::ClusterCore::found("old", crypto, options, wall);
  const std::string self = core->self();
  EXPECT_EQ(node_name(*core, self), "old");
  ASSERT_TRUE(rename_self(*core, "new", wall));
  EXPECT_EQ(node_name(*core, self), "new");
  EXPECT_EQ(with_names(*core, "part 0 on " + self + ": reading from 192.0.2.2:52724"),
            "part 0 on new: reading from 192.0.2.2:52724");
  EXPECT_EQ(*find_node(node_names(*core), "new"), self);
  EXPECT_TRUE(find_node(node_names(*core), "old").is(Errc::not_found));
  EXPECT_TRUE(rename_self(*core, "", wall).is(Errc::invalid_argument));

  const auto next = *cluster::ClusterCore::restore(core->saved(), crypto, {.start = 2}, wall);
  EXPECT_EQ(node_name(*next, self), "new");
  ASSERT_TRUE(rename_self(*next, "old", wall));
  EXPECT_EQ(node_name(*next, self), "old");
  EXPECT_EQ(node_name(*next, "nobody"), "nobody");
}

}  // namespace
}  // namespace drystone
