#include <gtest/gtest.h>

#include <optional>

#include "cluster/instance/test_instances.h"

namespace drystone {
namespace {

// What another wish changes, and what it leaves alone.

struct InstanceWishPlans : PlansAtOnceAndLater {};
INSTANTIATE_TEST_SUITE_P(, InstanceWishPlans, ::testing::Bool(), plans_name);

// A shape that only an earlier wish asked for ends with that wish ...
TEST_P(InstanceWishPlans, AFreeWishEndsAForcedShape) {
  TestCluster cluster(25, {"a", "b"}, kLarge, GetParam());
  cluster.want(two_stages());
  ASSERT_TRUE(cluster.gets_ready());
  cluster.run(15);
  cluster.want(kWanted);
  cluster.run(3);
  EXPECT_TRUE(cluster.status("a", "llama").answered);
  ASSERT_TRUE(cluster.gets_ready("llama", 10));
  EXPECT_EQ(cluster.status("a", "llama").placement->parts.size(), 1u);
  EXPECT_EQ(cluster.disagreement(), "");
}

// ... and the same wish once more moves nothing.
TEST_P(InstanceWishPlans, AskingAgainForWhatIsReadyLeavesItAlone) {
  TestCluster cluster(26, {"a", "b"}, kLarge, GetParam());
  for (const DesiredInstance& wish : {two_stages(), kWanted}) {
    cluster.want(wish);
    cluster.run(1);
    ASSERT_TRUE(cluster.gets_ready());
    cluster.run(15);
    cluster.trace();
    cluster.want(wish);
    cluster.run(2);
    EXPECT_TRUE(cluster.status("a", "llama").answered);
    EXPECT_EQ(cluster.trace(), "");
  }
}

TEST_P(InstanceWishPlans, AFreeWishEndsForcedRows) {
  TestCluster cluster(27, {"a", "b"}, kLarge, GetParam());
  DesiredInstance wish = two_stages();
  for (const auto asked : {std::optional(RowFormat::q8), std::optional<RowFormat>()}) {
    wish.row_format = asked;
    cluster.want(wish);
    cluster.run(3);
    ASSERT_TRUE(cluster.gets_ready());
    EXPECT_EQ(cluster.status("a", "llama").placement->row_format, asked.value_or(RowFormat::f32));
  }
}

// Links are measured again and again, and are never quite the same.
TEST_P(InstanceWishPlans, ANewWishReloadsNothingBecauseOfALink) {
  TestCluster cluster(28, {"a", "b", "c"}, kLarge, GetParam());
  DesiredInstance wish = kWanted;
  wish.shards = 3;
  wish.nodes = {"a", "b", "c"};
  cluster.want(wish);
  ASSERT_TRUE(cluster.gets_ready());
  cluster.run(15);
  cluster.trace();
  cluster.measure_links(0.021);
  cluster.run(2);
  wish.nodes.clear();  // another choice, which comes to the same
  cluster.want(wish);
  cluster.run(3);
  EXPECT_TRUE(cluster.status("a", "llama").answered);
  EXPECT_EQ(cluster.trace(), "");
}

// Nodes measure themselves again, and may find ten times as much.
TEST_P(InstanceWishPlans, NothingIsPlacedAnewBecauseOfFiguresOfANode) {
  TestCluster cluster(29, {"a", "b"}, kLarge, GetParam());
  cluster.measure_node("b", 1e11);
  cluster.want(kWanted);
  ASSERT_TRUE(cluster.gets_ready());
  ASSERT_EQ(cluster.status("a", "llama").placement->head, "a");
  cluster.run(15);
  cluster.trace();
  cluster.measure_node("a", 1e10);
  cluster.measure_node("b", 1e12);
  cluster.run(40);
  cluster.want(kWanted);  // again
  cluster.run(10);
  EXPECT_TRUE(cluster.status("a", "llama").answered);
  EXPECT_EQ(cluster.trace(), "");
}

// A substitute stays until what was asked for is possible, or something else is asked for.
TEST_P(InstanceWishPlans, AnotherWishEndsASubstituteAtOnce) {
  TestCluster cluster(22, {"a"}, kLarge, GetParam());
  cluster.want(two_stages());
  ASSERT_TRUE(cluster.gets_ready("llama", 40));
  EXPECT_NE(cluster.status("a", "llama").message, "");
  cluster.want(kWanted);
  cluster.run(2);
  EXPECT_EQ(cluster.status("a", "llama").placement->degraded, "");
  ASSERT_TRUE(cluster.gets_ready("llama", 3));
}

// `load` with another context replaces what is there.
TEST_P(InstanceWishPlans, AnotherWishIsAnotherPlacement) {
  TestCluster cluster(15, {"a"}, kLarge, GetParam());
  cluster.want(kWanted);
  ASSERT_TRUE(cluster.gets_ready());
  DesiredInstance longer = kWanted;
  longer.context = 2048;
  cluster.want(longer);
  cluster.run(2);
  ASSERT_TRUE(cluster.gets_ready());
  EXPECT_EQ(cluster.status("a", "llama").placement->context, 2048u);
  EXPECT_EQ(cluster.status("a", "llama").placement->epoch.number, 2u);
}

// A plan that was begun for an earlier wish is never published.
TEST(InstanceWish, APlanBeginsAnewWithAnotherWish) {
  TestCluster cluster(23, {"a", "b", "c"}, kSmall, true);
  DesiredInstance on_two = kWanted;
  on_two.nodes = {"a", "b"};
  cluster.want(on_two);
  cluster.run(0.5);
  DesiredInstance on_others = kWanted;
  on_others.nodes = {"a", "c"};
  cluster.want(on_others);
  ASSERT_TRUE(cluster.gets_ready());
  EXPECT_EQ(cluster.status("a", "llama").placement->epoch.number, 1u);
  EXPECT_NE(cluster.status("a", "llama").placement->part_of("c"), nullptr);
}

// Unload and load again in one breath, and in the middle of loading.
TEST(InstanceWish, UnloadAndLoadAgainWithoutAPause) {
  TestCluster cluster(16, {"a", "b"}, kSmall);
  for (const double pause_s : {0.5, 1.0, 2.0, 4.0, 11.0}) {
    cluster.want(kWanted);
    cluster.run(pause_s);
    cluster.unwant("llama");
    cluster.run(pause_s / 2);
  }
  cluster.want(kWanted);
  cluster.run(2);
  ASSERT_TRUE(cluster.gets_ready("llama", 30));
  cluster.run(5);
  EXPECT_EQ(cluster.disagreement(), "");
}

}  // namespace
}  // namespace drystone
