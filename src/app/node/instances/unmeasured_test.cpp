#include "app/node/instances/unmeasured.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "app/node/instances/instance_view.h"
#include "cluster/plan/node_figures.h"

namespace drystone {
namespace {

// A plan that is made while a node is being measured takes that node for one that nothing is known
// of; who asks is told what was waited for.
TEST(UnmeasuredFigures, NamesNodesAndLinks) {
  InstanceView view;
  const auto tell = [&](const std::string& key, const boost::json::object& value) {
    const std::string text = boost::json::serialize(value);
    view.set(key, &text);
  };
  const std::vector<std::string> nodes = {"1", "2"};
  NodeFigures atlas{.id = "1", .name = "atlas", .read_bandwidth = 1e10};
  tell("figures/1", to_json(atlas));
  using All = std::vector<Unmeasured>;
  EXPECT_EQ(unmeasured(InstanceMap(view), nodes), (All{{"2", true}, {"the link atlas - 2", true}}));
  NodeFigures nova{.id = "2", .name = "nova", .measuring = true};
  tell("figures/2", to_json(nova));
  EXPECT_EQ(unmeasured(InstanceMap(view), nodes),
            (All{{"nova", true}, {"the link atlas - nova", true}}));
  nova.measuring = std::nullopt;  // an earlier version
  tell("figures/2", to_json(nova));
  EXPECT_EQ(unmeasured(InstanceMap(view), nodes),
            (All{{"nova", false}, {"the link atlas - nova", false}}));
  nova.measuring = false;  // it has no memory to measure its bandwidth with
  tell("figures/2", to_json(nova));
  tell("link/1/2", to_json(LinkFigures{.from = "1", .to = "2", .round_trip_s = 1e-4}));
  EXPECT_EQ(unmeasured(InstanceMap(view), nodes), All());
}

}  // namespace
}  // namespace drystone
