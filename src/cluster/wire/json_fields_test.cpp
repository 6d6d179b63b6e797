#include "cluster/wire/json_fields.h"

#include <gtest/gtest.h>

#include <array>

namespace drystone::cluster {
namespace {

// Whoever reads the log of a refused message must see which field it was.
TEST(JsonFields, ErrorsNameTheField) {
  const auto value =
      *parse_json(R"({"n": -1, "t": "abc", "b": "MY", "a": [1, 2]})", {.bytes_max = 1000});
  const JsonFields fields = *JsonFields::of(value);
  EXPECT_EQ(fields.number("n").error().message(), "field n is no whole number from 0");
  EXPECT_EQ(fields.number("x").error().message(), "field x is missing");
  EXPECT_EQ(fields.text("t", 2).error().message(), "field t has 3 bytes, at most 2");
  EXPECT_EQ(fields.array("a", 1).error().message(), "field a has 2 elements, at most 1");
  std::array<std::uint8_t, 1> byte;
  EXPECT_EQ(fields.bytes("b", byte).error().message(), "field b is in upper case");
  EXPECT_EQ(fields.only({"n", "t", "b"}).error().message(), "field a is not known");
  EXPECT_TRUE(fields.only({"n", "t", "b", "a"}));
}

TEST(JsonFields, NumbersAreWholeAndBounded) {
  const auto value = *parse_json(
      R"({"a": 9007199254740991, "b": 9007199254740992, "c": 1.0, "d": 1e3})", {.bytes_max = 1000});
  const JsonFields fields = *JsonFields::of(value);
  EXPECT_EQ(*fields.number("a"), kJsonNumberMax);
  EXPECT_FALSE(fields.number("b"));
  EXPECT_FALSE(fields.number("c"));
  EXPECT_FALSE(fields.number("d"));
}

TEST(JsonFields, DepthAndLengthAreBounded) {
  EXPECT_TRUE(parse_json("[[1]]", {.bytes_max = 5, .depth_max = 2}));
  EXPECT_TRUE(parse_json("[[1]]", {.bytes_max = 5, .depth_max = 1}).is(Errc::corrupt));
  EXPECT_TRUE(parse_json("[[1]]", {.bytes_max = 4}).is(Errc::limit));
  EXPECT_TRUE(parse_json("{} {}", {.bytes_max = 9}).is(Errc::corrupt));
}

TEST(Hex64, HasOneForm) {
  EXPECT_EQ(to_hex64(0xabc), "0000000000000abc");
  EXPECT_EQ(*from_hex64("fffffffffffffff0"), 0xfffffffffffffff0);
  EXPECT_FALSE(from_hex64("FFFFFFFFFFFFFFF0"));
  EXPECT_FALSE(from_hex64("abc"));
}

}  // namespace
}  // namespace drystone::cluster
