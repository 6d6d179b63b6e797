#include "app/node/figures/measured_way.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "app/node/figures/link_prober.h"

namespace drystone {
namespace {

using boost::asio::ip::make_address;

// One of the two measures, both dial: each by the address of the other on the pair that was best.
TEST(MeasuredWay, BothSidesDialThePairThatWasBest) {
  const LinkFigures used{.from = "a",
                         .to = "b",
                         .round_trip_s = 1e-4,
                         .bandwidth = 1e9,
                         .from_interface = "eth1",
                         .to_interface = "enp2",
                         .from_address = "10.2.0.1",
                         .to_address = "10.2.0.2"};
  const std::string text =
      boost::json::serialize(to_json(MeasuredLink{.used = used, .paths = {used}}));
  const auto there = measured_way("a", text), back = measured_way("b", text);
  ASSERT_TRUE(there && back);
  EXPECT_EQ(there->node, "b");
  EXPECT_EQ(*there->to, make_address("10.2.0.2"));
  EXPECT_EQ(back->node, "a");
  EXPECT_EQ(*back->to, make_address("10.2.0.1"));
  EXPECT_FALSE(measured_way("c", text)) << "a link of others";
  EXPECT_FALSE(measured_way("a", "7"));
}

TEST(MeasuredWay, WhereTheSystemChoseThereIsNoAddress) {
  const LinkFigures used{.from = "a", .to = "b", .round_trip_s = 1e-4};
  const auto way = measured_way("a", boost::json::serialize(to_json(used)));
  ASSERT_TRUE(way);
  EXPECT_FALSE(way->to);
}

}  // namespace
}  // namespace drystone
