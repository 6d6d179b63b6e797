#include "serve/http/api_keys.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

// What stands in the file opens nothing: only the key that it was made of does.
TEST(ApiKeys, AHashOpensForItsKeyAlone) {
  const auto made = make_api_key();
  ASSERT_TRUE(made);
  const auto keys = ApiKeys::from_lines({made->line});
  ASSERT_TRUE(keys);
  EXPECT_TRUE(keys->has(made->key));
  EXPECT_FALSE(keys->has(made->line));
  EXPECT_FALSE(keys->has(made->key + "0"));
  EXPECT_FALSE(keys->has(""));
  EXPECT_EQ(made->line.find(made->key.substr(3)), std::string::npos);
}

TEST(ApiKeys, TwoHashesOfOneKeyDiffer) {
  EXPECT_NE(*hash_api_key("the same key"), *hash_api_key("the same key"));
}

// The hash of "abc" as FIPS 180-2 prints it, so that other tools can make lines.
TEST(ApiKeys, TakesAnUnsaltedHash) {
  const auto keys = ApiKeys::from_lines(
      {"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"});
  ASSERT_TRUE(keys);
  EXPECT_TRUE(keys->has("abc"));
}

TEST(ApiKeys, TakesPlainKeys) {
  const auto keys = ApiKeys::from_lines({"one", "two"});
  ASSERT_TRUE(keys);
  EXPECT_TRUE(keys->has("one"));
  EXPECT_TRUE(keys->has("two"));
  EXPECT_FALSE(keys->has("three"));
}

// A batch job's key must not go before people's questions, whatever its requests say.
TEST(ApiKeys, AHashMaySayTheLowestPriorityNumberOfItsKey) {
  const auto keys =
      ApiKeys::from_lines({*hash_api_key("batch") + " priority=5",
                           *hash_api_key("first") + " priority=-1000", *hash_api_key("any")});
  ASSERT_TRUE(keys);
  EXPECT_EQ(keys->priority_min("batch"), 5);
  EXPECT_EQ(keys->priority_min("first"), -1000);
  EXPECT_TRUE(keys->has("any"));
  EXPECT_EQ(keys->priority_min("any"), std::nullopt);
  EXPECT_EQ(keys->priority_min("stranger"), std::nullopt);
  for (const char* rest : {" ", " 5", " priority=", " priority=x", " priority=5 ", " priority=1001",
                           " priority=-1001", "  priority=5", " priority=99999999999"})
    EXPECT_TRUE(ApiKeys::from_lines({*hash_api_key("k") + rest}).is(Errc::invalid_argument))
        << rest;
}

// A line that was cut off must not become a key that is its own text.
TEST(ApiKeys, RefusesALineThatIsNoHash) {
  for (const char* line : {"sha256:", "sha256:12", "sha256:xy:00", "sha256:00:zz"})
    EXPECT_TRUE(ApiKeys::from_lines({line}).is(Errc::invalid_argument)) << line;
}

}  // namespace
}  // namespace drystone
