#include "cluster/wire/json_fields.h"

#include <gtest/gtest.h>

#include <array>

namespace drystone {
namespace {

// Whoever reads the log of a refused message must see which field it was.
TEST(JsonFields, ErrorsNameTheField) {
  const auto value =
      *parse_json(R"({"n": -1, "t": "abc", "b": "MY", "a": [1, 2]})", {.bytes_max = 1000});
  const auto problem = [&](auto read) {
    JsonFields fields(value, "thing");
    read(fields);
    return fields.finish().error().message();
  };
  std::uint64_t number = 7;
  std::string text = "before";
  std::array<std::uint8_t, 1> byte;
  std::vector<std::uint64_t> list;
  EXPECT_EQ(problem([&](auto& fields) { fields.integer("n", number, 0, 9); }),
            "thing: \"n\" is no integer in 0..9");
  EXPECT_EQ(problem([&](auto& fields) { fields.integer("x", number, 0, 9); }),
            "thing: \"x\" is missing");
  EXPECT_EQ(problem([&](auto& fields) { fields.text("t", text, 2); }),
            "thing: \"t\" has 3 bytes: at most 2");
  EXPECT_EQ(problem([&](auto& fields) { fields.need_array("a", 1); }),
            "thing: \"a\" has 2 items: at most 1");
  EXPECT_EQ(problem([&](auto& fields) { fields.bytes("b", byte); }),
            "thing: \"b\" is in upper case");
  EXPECT_EQ(problem([&](auto& fields) {
              fields.elements("a", list, 2, [](const auto& one) { return json_number(one, 1); });
            }),
            "thing: a[1]: is 2, at most 1");
  EXPECT_EQ(number, 7u);
  EXPECT_EQ(text, "before");
}

// What is not understood may change what the rest means.
TEST(JsonFields, FieldsThatNobodyAskedForAreFound) {
  const auto value = *parse_json(R"({"known": 1, "more": 2})", {.bytes_max = 100});
  JsonFields fields(value, "thing");
  int known = 0;
  fields.integer("known", known, 0, 9);
  EXPECT_TRUE(fields.finish());
  EXPECT_EQ(fields.finish_strictly().error().message(), "thing: \"more\" is not known");
}

TEST(JsonFields, NumbersAreWholeAndBounded) {
  const auto value =
      *parse_json(R"([9007199254740991, 9007199254740992, 1.0, 1e3])", {.bytes_max = 1000});
  EXPECT_EQ(*json_number(value.at(0)), kJsonNumberMax);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_FALSE(json_number(value.at(i))) << i;
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
}  // namespace drystone
