#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "cluster/plan/sample_cluster.h"

namespace drystone {
namespace {

namespace json = boost::json;

json::value parsed(const json::object& object) { return json::parse(json::serialize(object)); }

// A node plans models whose files only others have: the figures must arrive as they left.
TEST(Figures, OfAModelComeBackAsTheyWere) {
  ModelFigures model = sample_model();
  model.layers[3].window = 1024;
  model.layers[7].feed_forward.push_back({"q6_k", 1000, 1600});
  model.tied = true;
  const auto again = model_figures_from_json(parsed(to_json(model)));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, model);
}

// 22 equal layers are one entry, or a large model would fill the replicated map.
TEST(Figures, EqualLayersAreWrittenOnce) {
  EXPECT_EQ(to_json(sample_model()).at("layers").as_array().size(), 1u);
}

TEST(Figures, OfNodesAndLinksComeBackAsTheyWere) {
  NodeFigures node = sample_node({.name = "atlas"});
  node.limit_bytes = 3 * kGiB;
  node.rates["q8_0"].prompt = 1e9;
  node.rates["q8_0"].few = 2e9;
  node.measuring = false;
  node.memory_id = "boot";
  const auto node_again = node_figures_from_json(parsed(to_json(node)));
  ASSERT_TRUE(node_again) << node_again.error().message();
  EXPECT_EQ(*node_again, node);

  const LinkFigures link{.from = "a",
                         .to = "b",
                         .round_trip_s = 2e-4,
                         .bandwidth_back = 1e9,
                         .from_interface = "eth0"};
  const auto link_again = link_figures_from_json(parsed(to_json(link)));
  ASSERT_TRUE(link_again) << link_again.error().message();
  EXPECT_EQ(*link_again, link);
}

// An unmeasured bandwidth read as 0 would make a node infinitely slow, or divide by it.
TEST(Figures, UnknownIsAbsentAndNever0) {
  const NodeFigures node{.id = "a", .name = "atlas"};
  const json::object written = to_json(node);
  EXPECT_FALSE(written.contains("read_bandwidth"));
  EXPECT_FALSE(written.contains("free_bytes"));
  EXPECT_FALSE(node.available_bytes());
  json::object zero = written;
  zero["read_bandwidth"] = 0;
  EXPECT_TRUE(node_figures_from_json(zero).is(Errc::corrupt));
}

// The owner's bound and the system's reserve both hold.
TEST(Figures, AvailableIsTheSmallerOfWhatTheSystemAndTheOwnerAllow) {
  NodeFigures node{
      .id = "a", .free_bytes = 10 * kGiB, .reserved_bytes = 2 * kGiB, .reserve_bytes = kGiB};
  EXPECT_EQ(node.available_bytes(), 9 * kGiB);
  node.limit_bytes = 6 * kGiB;
  EXPECT_EQ(node.available_bytes(), 4 * kGiB);
  node.free_bytes = std::nullopt;
  EXPECT_EQ(node.available_bytes(), 4 * kGiB);
  node.limit_bytes = kGiB;
  EXPECT_EQ(node.available_bytes(), 0u);
}

// A placement that will be replaced gives its memory back to the one that follows.
TEST(Figures, AnotherReservationChangesWhatIsAvailable) {
  const NodeFigures node{
      .id = "a", .free_bytes = 10 * kGiB, .reserved_bytes = 2 * kGiB, .limit_bytes = 11 * kGiB};
  EXPECT_EQ(node.with_reserved(0).available_bytes(), 11 * kGiB);
  EXPECT_EQ(node.with_reserved(5 * kGiB).available_bytes(), 6 * kGiB);
  EXPECT_EQ(node.with_reserved(20 * kGiB).available_bytes(), 0u);
}

// Each pair is measured by one side at least; both must be able to plan with it.
TEST(Figures, ALinkIsKnownFromBothSides) {
  LinkTable links;
  links.set(
      {.from = "a", .to = "b", .round_trip_s = 1e-4, .bandwidth = 1e9, .bandwidth_back = 2e9});
  EXPECT_EQ(links.between("b", "a").bandwidth, 2e9);
  EXPECT_EQ(links.between("b", "a").round_trip_s, 1e-4);
  EXPECT_FALSE(links.between("a", "c").round_trip_s);
  links.set({.from = "b", .to = "a", .round_trip_s = 3e-4});
  EXPECT_EQ(links.between("b", "a").round_trip_s, 3e-4);
  EXPECT_EQ(links.between("b", "a").bandwidth, 2e9);
}

// What comes from other nodes is refused whole rather than understood by half.
TEST(Figures, ImpossibleFiguresAreRefusedByName) {
  const auto with = [](std::string_view name, json::value value) {
    json::object figures = to_json(sample_model());
    figures[name] = std::move(value);
    return model_figures_from_json(figures);
  };
  EXPECT_TRUE(with("d_model", 2048));
  EXPECT_TRUE(with("d_model", 0).is(Errc::corrupt));
  EXPECT_TRUE(with("d_model", -1).is(Errc::corrupt));
  EXPECT_TRUE(with("d_model", 2048.5).is(Errc::corrupt));
  EXPECT_TRUE(with("layers", json::array()).is(Errc::corrupt));
  EXPECT_TRUE(with("ff_block", 7).is(Errc::corrupt));
  EXPECT_TRUE(with("name", "a\nb").is(Errc::corrupt));
  EXPECT_TRUE(with("working", json::array()).is(Errc::corrupt));
  EXPECT_NE(with("d_model", 0).error().message().find("\"d_model\""), std::string::npos);
  json::object figures = to_json(sample_model());
  figures["layers"].as_array()[0].as_object()["count"] = 1000;
  figures["layers"].as_array().push_back(figures["layers"].as_array()[0]);
  EXPECT_TRUE(model_figures_from_json(figures).is(Errc::corrupt));
}

// 34 bytes for 32 numbers.
TEST(Figures, SizesOfKvFormats) {
  EXPECT_EQ(kv_bytes(KvFormat::f16, 64), 128u);
  EXPECT_EQ(kv_bytes(KvFormat::f32, 64), 256u);
  EXPECT_EQ(kv_bytes(KvFormat::q8_0, 64), 68u);
}

}  // namespace
}  // namespace drystone
