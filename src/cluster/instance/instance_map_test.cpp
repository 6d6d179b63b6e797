#include "cluster/instance/instance_map.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <map>

#include "cluster/plan/sample_cluster.h"

namespace drystone {
namespace {

namespace json = boost::json;

// Counts how often it is asked.
class CountingView final : public MapView {
 public:
  const json::value* get(std::string_view key) const override {
    ++asked;
    const auto found = values.find(std::string(key));
    return found == values.end() ? nullptr : &found->second;
  }
  std::vector<std::string> keys(std::string_view prefix) const override {
    std::vector<std::string> found;
    for (const auto& [key, value] : values)
      if (key.starts_with(prefix)) found.push_back(key);
    return found;
  }
  std::map<std::string, json::value> values;
  mutable int asked = 0;
};

json::value figures() { return json::parse(json::serialize(to_json(sample_model()))); }

// Figures are long: they are parsed once. Of names that nobody knows, which anybody may ask for,
// nothing is kept, so the map itself is asked again.
TEST(InstanceMap, KeepsWhatTheMapHasAlone) {
  CountingView view;
  view.values["model/llama"] = figures();
  const InstanceMap map(view);
  for (int i = 0; i < 3; ++i) ASSERT_NE(map.model("llama"), nullptr);
  EXPECT_EQ(view.asked, 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(map.model("no such model"), nullptr);
  EXPECT_EQ(view.asked, 4);
}

TEST(InstanceMap, WhatComesLaterIsSeen) {
  CountingView view;
  InstanceMap map(view);
  EXPECT_EQ(map.model("llama"), nullptr);
  view.values["model/llama"] = figures();
  map.changed("model/llama");
  EXPECT_NE(map.model("llama"), nullptr);
  view.values["model/llama"] = "no figures";
  map.changed("model/llama");
  EXPECT_EQ(map.model("llama"), nullptr);
  view.values.erase("model/llama");
  map.changed("model/llama");
  EXPECT_EQ(map.model("llama"), nullptr);
}

}  // namespace
}  // namespace drystone
