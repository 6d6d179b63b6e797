#include <gtest/gtest.h>

#include "serve/toolcall/template_habits.h"

namespace drystone {
namespace {

namespace json = boost::json;

json::array parsed(std::string_view text) { return json::parse(text).as_array(); }

json::array converted(std::string_view messages, const TemplateHabits& habits) {
  auto result = template_messages(parsed(messages), habits);
  EXPECT_TRUE(result) << result.error().message();
  return result ? *result : json::array();
}

// Clients send arguments as text; a template that expects an object would write it quoted.
TEST(TemplateMessages, ArgumentsBecomeWhatTheTemplateWants) {
  const std::string_view messages = R"([{"role": "assistant", "tool_calls":
      [{"id": "a", "function": {"name": "f", "arguments": "{\"x\": [1]}"}}]}])";
  EXPECT_EQ(converted(messages, {}), parsed(R"([{"role": "assistant", "content": "", "tool_calls":
      [{"id": "a", "function": {"name": "f", "arguments": {"x": [1]}}}]}])"));
  const json::array text =
      converted(messages, {.arguments_as_object = false, .content_null_with_calls = true});
  EXPECT_EQ(text, parsed(R"([{"role": "assistant", "content": null, "tool_calls":
      [{"id": "a", "function": {"name": "f", "arguments": "{\"x\":[1]}"}}]}])"));
}

// Whoever sends a broken call back must learn which one it was.
TEST(TemplateMessages, BrokenArgumentsAreNamed) {
  const auto result = template_messages(
      parsed(R"([{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls":
          [{"id": "a", "function": {"name": "f", "arguments": "{\"x\": "}}]}])"),
      {});
  ASSERT_TRUE(result.is(Errc::invalid_argument));
  EXPECT_TRUE(result.error().message().starts_with(
      "messages[1].tool_calls[0].function.arguments is not a JSON object: "))
      << result.error().message();
}

// Mistral's template refuses other ids, and results must still find their calls.
TEST(TemplateMessages, ShortIdsStayPairs) {
  const json::array out = converted(R"([{"role": "assistant", "content": "", "tool_calls":
      [{"id": "call_long", "function": {"name": "f", "arguments": "{}"}},
       {"id": "abcdef123", "function": {"name": "g", "arguments": "{}"}}]},
      {"role": "tool", "tool_call_id": "call_long", "content": "r"}])",
                                    {.short_ids = true});
  const json::array& calls = out[0].at("tool_calls").as_array();
  EXPECT_EQ(calls[0].at("id").as_string().size(), 9U);
  EXPECT_EQ(calls[0].at("id"), out[1].at("tool_call_id"));
  EXPECT_EQ(calls[1].at("id"), "abcdef123");
  EXPECT_EQ(out[1].at("name"), "f");
}

// A template that writes only the first call would make the model forget the others.
TEST(TemplateMessages, SeveralCallsBecomeMessagesWithTheirResults) {
  const json::array out = converted(R"([{"role": "assistant", "content": "both",
      "reasoning_content": "hm", "tool_calls":
      [{"id": "a", "function": {"name": "f", "arguments": "{}"}},
       {"id": "b", "function": {"name": "g", "arguments": "{}"}}]},
      {"role": "tool", "tool_call_id": "b", "content": "rb"},
      {"role": "tool", "tool_call_id": "a", "content": "ra"},
      {"role": "user", "content": "so"}])",
                                    {.one_call_per_message = true,
                                     .reasoning_key = "thinking",
                                     .reasoning_excludes_content = true});
  ASSERT_EQ(out.size(), 5U);
  EXPECT_EQ(out[0].at("thinking"), "hm\n\nboth");
  EXPECT_EQ(out[0].at("content"), "");
  EXPECT_EQ(out[1].at("content"), "ra");
  EXPECT_FALSE(out[2].as_object().contains("thinking"));
  EXPECT_EQ(out[3].at("content"), "rb");
  EXPECT_EQ(out[4].at("role"), "user");
}

}  // namespace
}  // namespace drystone
