#include "cluster/instance/instance_core.h"

#include <gtest/gtest.h>

#include "cluster/instance/sim/sim_cluster.h"
#include "cluster/plan/sample_cluster.h"

namespace drystone {
namespace {

// 22 layers, about 630 MiB with its cache: fits a large node, or two small ones.
ModelFigures small_model(const std::string& name = "llama") {
  return sample_model({.name = name, .tied = true});
}
const DesiredInstance kWanted{.model = "llama", .context = 1024};
constexpr Bytes kLarge = 1000 * kMiB, kSmall = 450 * kMiB;

DesiredInstance two_stages() {
  DesiredInstance desired = kWanted;
  desired.stages = 2;
  return desired;
}

// The common life: asked for, placed, loaded, ready; and gone when nobody wants it.
TEST(InstanceCore, LoadsWhatIsWantedAndDropsWhatIsNot) {
  SimCluster cluster(1);
  cluster.add_node("a", kSmall);
  cluster.add_node("b", kSmall);
  cluster.add_model(small_model());
  cluster.run(5);
  cluster.want(kWanted);
  ASSERT_TRUE(cluster.run_until_ready("llama", 20)) << cluster.trace();
  EXPECT_EQ(cluster.disagreement(), "");
  EXPECT_EQ(cluster.status("b", "llama").placement->stages(), 2u);
  cluster.trace();
  cluster.unwant("llama");
  cluster.run(15);
  EXPECT_EQ(cluster.trace(), "");
  EXPECT_EQ(cluster.disagreement(), "");
  EXPECT_TRUE(cluster.core("a").statuses().empty());
}

}  // namespace
}  // namespace drystone
