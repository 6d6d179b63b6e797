#include "app/node/api/shown_links.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "app/node/figures/link_prober.h"
#include "cluster/state/map_entry.h"

namespace drystone {
namespace {

namespace json = boost::json;

MeasuredLink two_cables(const std::string& from, const std::string& to) {
  const LinkFigures slow{.from = from,
                         .to = to,
                         .round_trip_s = 2e-4,
                         .exchange_s = 1e-4,
                         .bandwidth = 1.2e8,
                         .bandwidth_back = 1.1e8,
                         .from_interface = "eth0",
                         .to_interface = "enp1"};
  LinkFigures fast = slow;
  fast.round_trip_s = 5e-5;
  fast.bandwidth = 1.2e9;
  fast.bandwidth_back = 1.1e9;
  fast.from_interface = "eth1";
  fast.to_interface = "enp2";
  return {.used = fast, .paths = {slow, fast}};
}

// Who has put in a second cable wants to see that both were measured and which one is used, at
// either end.
TEST(ShownLinks, BothNodesTellEveryPairOfInterfaces) {
  const auto links = shown_links({{"link/1/2", json::serialize(to_json(two_cables("1", "2")))}},
                                 {{"1", "atlas"}, {"2", "nova"}});
  EXPECT_EQ(links.at("1"), json::parse(R"([
    {"to": "2", "to_name": "nova", "from_interface": "eth0", "to_interface": "enp1",
     "latency_us": 2E2, "bandwidth_bytes_per_s": 1.2E8, "bandwidth_back_bytes_per_s": 1.1E8,
     "used": false},
    {"to": "2", "to_name": "nova", "from_interface": "eth1", "to_interface": "enp2",
     "latency_us": 5E1, "bandwidth_bytes_per_s": 1.2E9, "bandwidth_back_bytes_per_s": 1.1E9,
     "used": true}])"));
  const json::object& back = links.at("2").at(1).as_object();
  EXPECT_EQ(back.at("to_name"), "atlas");
  EXPECT_EQ(back.at("from_interface"), "enp2");
  EXPECT_EQ(back.at("bandwidth_bytes_per_s"), 1.1e9);
  EXPECT_EQ(back.at("used"), true);
}

TEST(ShownLinks, WhatEarlierVersionsTellIsOnePath) {
  const std::string text = json::serialize(to_json(two_cables("1", "2").used));
  const auto links = shown_links({{"link/1/2", text}}, {{"1", "atlas"}, {"2", "nova"}});
  ASSERT_EQ(links.at("1").size(), 1u);
  EXPECT_EQ(links.at("1").at(0).at("used"), true);
}

TEST(ShownLinks, WhatIsNotWellFormedIsLeftOut) {
  json::object odd = to_json(two_cables("1", "2"));
  odd["paths"] = json::array{7, json::object{{"bandwidth", "much"}}};
  const std::map<std::string, std::string> names = {{"1", "atlas"}, {"2", "nova"}};
  EXPECT_EQ(shown_links({{"link/1/2", json::serialize(odd)}}, names).at("1").size(), 1u);
  EXPECT_TRUE(shown_links({{"link/1/2", "{"}, {"link/1/3", "[]"}}, names).empty());
  EXPECT_TRUE(shown_links({{"link/1/2", json::serialize(odd)}}, {{"1", "atlas"}}).empty());
}

// All links of 64 nodes, with as many interfaces as are measured and names as long as they get,
// leave most of the shared state to others.
TEST(ShownLinks, TheLinksOf64NodesFitIntoTheSharedState) {
  const std::string id(26, 'a');
  MeasuredLink link = two_cables(id, std::string(26, 'b'));
  link.used.round_trip_s = link.used.exchange_s = 1.0 / 7e5;
  link.used.bandwidth = link.used.bandwidth_back = 1e10 / 7;
  link.used.from_interface = std::string(15, 'e');  // a system's limit
  link.used.to_interface = std::string(128, 'e');   // what is taken of what a peer tells
  link.paths.assign(kLinkPathsMax, link.used);
  const std::size_t each = json::serialize(to_json(link)).size() + 2 * id.size() + 6;
  constexpr std::size_t kNodes = 64, kLinks = kNodes * (kNodes - 1) / 2;
  EXPECT_LT(each, cluster::kMapValueBytesMax);
  EXPECT_LT(each * kLinks, cluster::kMapBytesMax / 4);
  EXPECT_LT(kLinks, cluster::kMapEntriesMax / 2);
}

}  // namespace
}  // namespace drystone
