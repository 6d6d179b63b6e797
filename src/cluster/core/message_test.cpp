#include "cluster/core/message.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace drystone::cluster {
namespace {

const NodeId kA(26, 'a'), kB = "b" + std::string(25, 'a');

Message sample() {
  Message message;
  message.cluster = {1, 2, 3};
  message.membership = {.start = 1'800'000'000'000,
                        .incarnation = 2,
                        .view = 0xabc,
                        .pings = {7, 8},
                        .acks = {9},
                        .asks = {{kA, 5}},
                        .vouches = {{kB, 6}},
                        .rumours = {{.id = kA, .start = 3, .state = NodeState::suspect}}};
  message.state.digest = 0xdef;
  message.state.buckets.emplace();
  (*message.state.buckets)[63] = 0xffffffffffffffff;
  message.state.listing = StatePart::Listing{
      .buckets = {0, 63}, .after = "a", .until = "z", .keys = {{"b", {1, kA}, 2}, {"z", {}, 3}}};
  message.state.listing->keys[1].version.node = kB;
  message.state.wanted = {"x", "y"};
  message.state.entries = {{.key = "k", .value = R"({"a":"\n\"x"})", .version = {4, kA}},
                           {.key = "gone", .version = {5, kB}}};
  message.members = 0x123;
  message.entries = {{.name = "nova", .added_at = 3}};
  message.removals = {{.kept = {PublicKey{1}}}};
  return message;
}

TEST(Message, ReadsWhatItWrites) {
  const Message message = sample();
  const std::vector<std::string> texts = to_texts(message);
  ASSERT_EQ(texts.size(), 1U);
  const auto read = parse_message(texts[0]);
  ASSERT_TRUE(read) << read.error().message() << "\n" << texts[0];
  EXPECT_EQ(*read, message);
  EXPECT_EQ(to_texts(Message{}).size(), 1U);
  EXPECT_TRUE(parse_message(to_texts(Message{})[0]));
}

// A large state goes in as many messages as it takes, none too long, and nothing is lost.
TEST(Message, IsSplitAtItsLimit) {
  Message message = sample();
  message.state.entries.clear();
  for (int i = 0; i < 40; ++i)
    message.state.entries.push_back({.key = "k" + std::to_string(i),
                                     .value = "\"" + std::string(60'000, '/') + "\"",
                                     .version = {4, kA}});
  const std::vector<std::string> texts = to_texts(message);
  EXPECT_GT(texts.size(), 9U);
  std::vector<MapEntry> entries;
  for (const std::string& text : texts) {
    EXPECT_LE(text.size(), kMessageBytesMax);
    const Message part = *parse_message(text);
    EXPECT_EQ(part.membership.start, message.membership.start);
    EXPECT_EQ(part.state.digest, message.state.digest);
    entries.insert(entries.end(), part.state.entries.begin(), part.state.entries.end());
  }
  EXPECT_EQ(entries, message.state.entries);
}

TEST(Message, ErrorsSayWhere) {
  const auto whole = boost::json::parse(to_texts(sample())[0]);
  const auto error_with = [&](auto change) {
    boost::json::value json = whole;
    change(json);
    const auto read = parse_message(boost::json::serialize(json));
    return read ? "no error" : read.error().message();
  };
  EXPECT_EQ(error_with([](auto& json) { json.as_object()["later"] = 1; }), "no error");
  EXPECT_EQ(error_with([](auto& json) { json.at("v") = 2; }),
            "message: \"v\" is 2, this node speaks 1");
  EXPECT_EQ(error_with([](auto& json) { json.as_object().erase("start"); }),
            "message: \"start\" is missing");
  EXPECT_EQ(error_with([](auto& json) { json.at("rumours").at(0).at("state") = "fine"; }),
            "message: rumours[0]: node: \"state\" is no state of a node");
  EXPECT_EQ(error_with([](auto& json) { json.at("rumours").at(0).at("id") = "me"; }),
            "message: rumours[0]: node: \"id\" is no node id");
  EXPECT_EQ(error_with([](auto& json) { json.at("pings").at(1) = -1; }),
            "message: pings[1]: is no whole number from 0");
  EXPECT_EQ(error_with([](auto& json) { json.at("entries").at(0).as_object()["erased"] = 1; }),
            "message: entries[0]: entry: \"erased\" is no boolean");
  EXPECT_EQ(error_with([](auto& json) { json.at("listing").at("keys").at(1).at("key") = "b"; }),
            "listing: its keys are not in order");
  EXPECT_EQ(error_with([](auto& json) { json.at("buckets").as_array().pop_back(); }),
            "message: \"buckets\" has 63 elements instead of 64");
  EXPECT_TRUE(parse_message(std::string(kMessageBytesMax + 1, ' ')).is(Errc::limit));
}

}  // namespace
}  // namespace drystone::cluster
