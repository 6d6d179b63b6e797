#include "serve/api/answer/request_body.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

namespace json = boost::json;

std::string why(std::string_view body) {
  const auto object = parse_object(body);
  if (object) return "taken";
  EXPECT_EQ(object.error().status, 400);
  return object.error().message;
}

// Who builds a body by hand, or cuts it in the wrong place, must find the place.
TEST(RequestBody, SaysWhatIsWrongAtWhichByte) {
  const auto says = [](std::string_view body, std::string_view words) {
    EXPECT_NE(why(body).find(words), std::string::npos) << body << ": " << why(body);
  };
  says(R"({"a": 1} x)", "something else follows it at byte 9 (");
  says("{}{}", "something else follows it at byte 2 (");
  says("{}\n\n,", "follows it at byte 4 (");
  says("{\"a\": \"x\xff\"}", "not valid UTF-8: byte 8 (the first is 0) is 0xFF");
  says("{\"a\": \"\xC3\"}", "not valid UTF-8: byte 7 (the first is 0) is 0xC3");
  says("{\"\xE2\x82\": 1}", "not valid UTF-8: byte 2 (");
  says("\xff", "not valid UTF-8: byte 0 (");
  says(R"({"a": nul})", "not valid JSON at byte");
  says("{\"a\": x, \"b\": \"\xff\"}", "not valid JSON at byte");
  says(R"({"a": "b)", "ends in the midst of its JSON, after 8 bytes");
  says("{", "ends in the midst of its JSON, after 1 bytes");
  says("[]", "must be a JSON object, but is an array");
  says("", "no body");
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "{\"a\":";
  says(deep, "nested deeper than 64 levels");
  EXPECT_EQ(why("  {\"a\": \"\xC3\xA9\"}\r\n\t "), "taken");
}

// Clients draw seeds from all 64 bits, with and without a sign.
TEST(RequestBody, ReadsEverySeedOf64Bits) {
  const auto seed = [](const std::string& text) {
    const auto object = parse_object(R"({"seed": )" + text + "}");
    RequestFields fields(*object);
    std::optional<std::uint64_t> out;
    read_seed(fields, out);
    EXPECT_TRUE(fields.ok()) << text;
    return out;
  };
  EXPECT_EQ(seed("null"), std::nullopt);
  EXPECT_EQ(seed("0"), 0u);
  EXPECT_EQ(seed("-1"), ~std::uint64_t{0});
  EXPECT_EQ(seed("-9223372036854775808"), std::uint64_t{1} << 63);
  EXPECT_EQ(seed("9223372036854775808"), std::uint64_t{1} << 63);
  EXPECT_EQ(seed("18446744073709551615"), ~std::uint64_t{0});
  EXPECT_EQ(seed("7.0"), 7u);
  EXPECT_EQ(seed("1e18"), 1'000'000'000'000'000'000u);
  EXPECT_EQ(seed("-2.0"), ~std::uint64_t{1});
}

TEST(RequestBody, SaysWhyASeedIsNone) {
  const auto refused = [](const std::string& text) {
    const auto object = parse_object(R"({"seed": )" + text + "}");
    RequestFields fields(*object);
    std::optional<std::uint64_t> out;
    read_seed(fields, out);
    EXPECT_FALSE(fields.ok()) << text;
    EXPECT_EQ(fields.error()->param, "seed");
    return fields.error()->message;
  };
  EXPECT_EQ(refused("1.5"),
            "'seed' must be an integer of 64 bits (-2^63 to 2^64 - 1), but is 1.5.");
  EXPECT_NE(refused("18446744073709551616").find("-2^63 to 2^64 - 1"), std::string::npos);
  EXPECT_NE(refused("-1e19").find("-2^63 to 2^64 - 1"), std::string::npos);
  EXPECT_EQ(refused("\"7\""), "'seed' must be an integer, but is a string.");
}

// What a client made up comes back to it, but never megabytes of it.
TEST(RequestBody, NamesWhatIsNotKnownWithinBounds) {
  const json::object object = {{"known", 1}, {"other", 2}};
  RequestFields fields(object, "outer.");
  fields.accept({"known"});
  refuse_unknown(fields);
  ASSERT_FALSE(fields.ok());
  EXPECT_EQ(fields.error()->param, "outer.other");
  EXPECT_EQ(fields.error()->message, "'outer.other' is not known here.");
  EXPECT_EQ(fields.error()->code, "unknown_parameter");

  const json::object huge = {{std::string(1 << 20, 'x'), 1}};
  RequestFields bounded(huge);
  refuse_unknown(bounded);
  EXPECT_LT(bounded.error()->message.size(), 300u);
  EXPECT_LT(bounded.error()->param.size(), 300u);

  std::vector<std::string> ignored;
  for (int i = 0; i < 1000; ++i) {
    note_ignored("same", ignored);
    note_ignored(std::to_string(i), ignored);
  }
  EXPECT_LT(ignored.size(), 100u);
  EXPECT_EQ(std::ranges::count(ignored, "same"), 1);
}

}  // namespace
}  // namespace drystone
