#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "cluster/instance/desired.h"
#include "cluster/instance/load_record.h"
#include "cluster/instance/part_state.h"
#include "cluster/instance/place_value.h"

namespace drystone {
namespace {

namespace json = boost::json;

json::value parsed(const json::object& object) { return json::parse(json::serialize(object)); }

// What was asked for must survive restarts as it was.
TEST(InstanceValues, DesiredStateComesBackAsItWas) {
  const DesiredInstance desired{.model = "org/llama",
                                .context = 4096,
                                .streams = 3,
                                .replicas = 2,
                                .kv_format = KvFormat::q8_0,
                                .stages = 2,
                                .shards = 2,
                                .row_format = RowFormat::q8,
                                .nodes = {"atlas", "nova"},
                                .head = "nova",
                                .objective = Objective::prompt,
                                .asked = 7};
  const auto again = desired_from_json(parsed(to_json(desired)));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, desired);
  EXPECT_TRUE(desired.forced());
  EXPECT_FALSE(desired.unforced().forced());
}

TEST(InstanceValues, ImpossibleWishesAreRefused) {
  const auto with = [](std::string_view name, json::value value) {
    json::object object = {{"model", "llama"}};
    object[name] = std::move(value);
    return desired_from_json(object);
  };
  EXPECT_TRUE(with("context", 4096));
  EXPECT_TRUE(with("model", "a#1").is(Errc::corrupt));
  EXPECT_TRUE(with("model", "").is(Errc::corrupt));
  EXPECT_TRUE(with("replicas", 0).is(Errc::corrupt));
  EXPECT_TRUE(with("nodes", json::array{""}).is(Errc::corrupt));
  EXPECT_TRUE(with("objective", "all").is(Errc::corrupt));
  EXPECT_TRUE(with("kv_format", "f8").is(Errc::corrupt));
  EXPECT_TRUE(with("experts", 2).is(Errc::corrupt));
}

TEST(InstanceValues, PartStatesAndRefusalsComeBackAsTheyWere) {
  const PartState state{.epoch = {3, "k"},
                        .phase = PartPhase::lost,
                        .boot = ~0ull,
                        .progress = 0.5,
                        .error = "the pipe broke"};
  const auto state_again = part_state_from_json(parsed(to_json(state)));
  ASSERT_TRUE(state_again) << state_again.error().message();
  EXPECT_EQ(*state_again, state);
  const LoadRecord record{
      .asked = 1785441600123, .was_ready = true, .failures = 3, .error = "a: the disk is full"};
  const auto record_again = load_record_from_json(parsed(to_json(record)));
  ASSERT_TRUE(record_again) << record_again.error().message();
  EXPECT_EQ(*record_again, record);
  const PlaceValue refused{.epoch = {3, "k"}, .refused = "needs 41.2 GiB"};
  const auto refused_again = place_value_from_json(parsed(to_json(refused)));
  ASSERT_TRUE(refused_again) << refused_again.error().message();
  EXPECT_EQ(*refused_again, refused);
}

}  // namespace
}  // namespace drystone
