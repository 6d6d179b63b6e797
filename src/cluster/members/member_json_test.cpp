#include "cluster/members/member_json.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

#include "cluster/wire/test_crypto.h"

namespace drystone::cluster {
namespace {

MemberList sample(const TestCrypto& atlas, const TestCrypto& nova) {
  MemberList list = *MemberList::found({7}, "atlas", atlas);
  EXPECT_TRUE(list.admit(nova.public_key(), "nova", atlas));
  EXPECT_TRUE(list.admit(TestCrypto(3).public_key(), "spare", nova));
  EXPECT_TRUE(list.remove(nova.public_key(), atlas));
  return list;
}

TEST(MemberJson, ReadsWhatItWrites) {
  const TestCrypto atlas(1), nova(2);
  const MemberList list = sample(atlas, nova);
  const auto read = parse_member_list(to_json(list), nova);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->digest(), list.digest());
  EXPECT_EQ(read->members().size(), 2U);
  EXPECT_EQ(to_json(*read), to_json(list));
}

// Somebody will look at a list that a disk or a hand has spoiled: the message says where.
TEST(MemberJson, ErrorsSayWhichEntryAndWhy) {
  const TestCrypto atlas(1), nova(2);
  const auto whole = boost::json::parse(to_json(sample(atlas, nova)));
  const auto error_with = [&](auto change) {
    boost::json::value json = whole;
    change(json);
    const auto read = parse_member_list(boost::json::serialize(json), atlas);
    return read ? "no error" : read.error().message();
  };
  EXPECT_EQ(error_with([](auto& json) { json.at("entries").at(1).at("name") = "nope"; }),
            "member list: entries[1] (nope): its signature is wrong");
  EXPECT_EQ(error_with([](auto& json) { json.at("entries").at(2).as_object().erase("by"); }),
            "member list: entries[2]: member: \"by\" is missing");
  EXPECT_EQ(error_with([](auto& json) { json.at("removals").at(0).at("key") = "abc"; }),
            "member list: removals[0]: removal: \"key\" 3 letters of base32 instead of 52");
  EXPECT_EQ(error_with([](auto& json) {
              json.at("entries").as_array().erase(json.at("entries").as_array().begin());
            }),
            "member list: entries[0] (nova): the one who signed it is not known");
  EXPECT_EQ(error_with([](auto& json) { json.as_object()["more"] = 1; }),
            "member list: \"more\" is not known");
}

}  // namespace
}  // namespace drystone::cluster
