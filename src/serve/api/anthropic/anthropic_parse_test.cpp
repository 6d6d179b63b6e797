#include "serve/api/anthropic/anthropic_parse.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

namespace json = boost::json;

// A coding agent's second turn: system blocks with a line for the biller, thinking, a call, its
// result and a reminder beside it.
constexpr const char* kAgentTurn = R"({
  "model": "m", "max_tokens": 32000, "temperature": 1, "stream": true,
  "thinking": {"type": "enabled", "budget_tokens": 31999},
  "metadata": {"user_id": "u"},
  "system": [
    {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cch=00a1;"},
    {"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}}],
  "tools": [{"name": "Bash", "description": "Runs.", "input_schema": {"type": "object"},
             "cache_control": {"type": "ephemeral"}}],
  "messages": [
    {"role": "user", "content": [{"type": "text", "text": "List"}, {"type": "text", "text": "files"}]},
    {"role": "assistant", "content": [
      {"type": "thinking", "thinking": "ls it is", "signature": "drystone"},
      {"type": "text", "text": "Sure."},
      {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}]},
    {"role": "user", "content": [
      {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "a.txt"}]},
      {"type": "text", "text": "Go on."}]}]})";

TEST(AnthropicParse, ReadsTheTurnOfAnAgent) {
  const auto request = parse_messages_request(kAgentTurn);
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(
      json::serialize(request->messages),
      R"([{"role":"system","content":"You are an agent."},{"role":"user","content":"List\nfiles"},)"
      R"({"role":"assistant","content":"Sure.","reasoning_content":"ls it is","tool_calls":[{"id":"t1","type":"function","function":{"name":"Bash","arguments":{"command":"ls"}}}]},)"
      R"({"role":"tool","content":"a.txt","tool_call_id":"t1","name":"Bash"},{"role":"user","content":"Go on."}])");
  EXPECT_EQ(
      json::serialize(request->tools),
      R"([{"type":"function","function":{"name":"Bash","description":"Runs.","parameters":{"type":"object"}}}])");
  EXPECT_EQ(request->options.tokens_max, 32000u);
  EXPECT_TRUE(request->options.stream);
  EXPECT_TRUE(request->include_reasoning);
  EXPECT_EQ(request->template_variables.at("enable_thinking"), json::value(true));
  EXPECT_TRUE(request->options.ignored.empty());
}

// What agents add beside is dropped, by name; what it says is not.
TEST(AnthropicParse, NamesWhatItDrops) {
  const auto request = parse_messages_request(R"({"max_tokens": 5,
    "thinking": {"type": "adaptive", "display": "omitted"},
    "tools": [{"name": "f", "input_schema": {}, "cache_control": {}, "defer_loading": true}],
    "messages": [{"role": "user", "mood": "good", "content": [
      {"type": "document", "title": "Walls", "context": "A book.", "citations": {"enabled": false},
       "source": {"type": "text", "media_type": "text/plain", "data": "Stones."}},
      {"type": "text", "text": "Hi", "cache_control": {}, "colour": "red"}]}]})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->options.ignored,
            (std::vector<std::string>{"messages.mood", "messages.content.colour",
                                      "tools.defer_loading"}));
  EXPECT_EQ(request->messages[0].at("content"), "Walls\nA book.\nStones.\nHi");
  EXPECT_FALSE(request->include_reasoning) << "thinking that is omitted is left out";
  // What is counted may end with the assistant.
  EXPECT_TRUE(parse_messages_request(R"({"messages":[{"role":"assistant","content":"{"}]})",
                                     /*counting=*/true));
}

// A line that changes with each request at the very front would make every prompt a new one.
TEST(AnthropicParse, DropsBillingLinesAtTheHeadOnly) {
  EXPECT_EQ(without_billing_lines("x-anthropic-billing-header: a=1;\nYou are"), "You are");
  EXPECT_EQ(without_billing_lines("x-anthropic-billing-header: a=1;"), "");
  EXPECT_EQ(
      without_billing_lines("x-anthropic-billing-header: 1\n\nx-anthropic-billing-header: 2\nA"),
      "A");
  EXPECT_EQ(without_billing_lines("A\nx-anthropic-billing-header: 1"),
            "A\nx-anthropic-billing-header: 1");
}

TEST(AnthropicParse, ReadsTheChoiceOfATool) {
  using Kind = ToolChoice::Kind;
  const auto choice = [](const std::string& text) {
    return parse_messages_request(
        R"({"max_tokens":5,"messages":[{"role":"user","content":"Hi"}],"tools":[{"name":"f","input_schema":{}}],"tool_choice":)" +
        text + "}");
  };
  EXPECT_EQ(choice(R"({"type":"any"})")->tool_choice.kind, Kind::required);
  EXPECT_EQ(choice(R"({"type":"tool","name":"f"})")->tool_choice.name, "f");
  EXPECT_FALSE(choice(R"({"type":"auto","disable_parallel_tool_use":true})")->parallel_tool_calls);
  EXPECT_TRUE(choice(R"({"type":"none"})")->tools.empty());
  EXPECT_FALSE(choice(R"({"type":"tool","name":"g"})"));
  EXPECT_FALSE(choice(R"({"type":"some"})"));
}

TEST(AnthropicParse, NamesTheFieldAtFault) {
  const auto with = [](const std::string& fields) {
    return R"({"max_tokens":5,"messages":[{"role":"user","content":"Hi"}],)" + fields + "}";
  };
  const std::pair<std::string, std::string> cases[] = {
      {R"({"messages":[{"role":"user","content":"Hi"}]})", "max_tokens"},
      {R"({"max_tokens":5,"messages":[]})", "messages"},
      {R"({"max_tokens":5,"messages":[{"role":"assistant","content":[{"type":"redacted_thinking"}]}]})",
       "messages"},
      {R"({"max_tokens":5,"messages":[{"role":"tool","content":"Hi"}]})", "messages[0].role"},
      {R"({"max_tokens":5,"messages":[{"role":"user","content":[{"type":"image"}]}]})",
       "messages[0].content[0].type"},
      {R"({"max_tokens":5,"messages":[{"role":"assistant","content":[{"type":"tool_use"}]}]})",
       "messages[0].content[0].name"},
      {with(R"("temperature": 3)"), "temperature"},
      {with(R"("system": 5)"), "system"},
      {with(R"("tools": [{"type": "web_search_20250305", "name": "web_search"}])"),
       "tools[0].type"},
      {with(R"("tools": [{"name": "f"}])"), "tools[0].input_schema"},
      {with(R"("mcp_servers": [{"url": "x"}])"), "mcp_servers"},
      {with(R"("thinking": {"type": "maybe"})"), "thinking.type"},
      {with(R"("output_config": {"format": {"type": "xml"}})"), "output_config.format"},
      {with(R"("output_config": {"efort": "low"})"), "output_config.efort"},
      {with(R"("output_config": {"effort": "banana"})"), "output_config.effort"},
      {with(R"("output_config": {"format": {"type": "json_schema", "schema": {}, "x": 1}})"),
       "output_config.format.x"},
      {with(R"("output_format": {"type": "json_schema", "schema": {}},
               "output_config": {"format": {"type": "json_schema", "schema": {}}})"),
       "output_config.format"},
      {with(R"("thinking": {"type": "enabled", "budget": 5})"), "thinking.budget"},
      {with(R"("thinking": {"type": "adaptive", "display": "loud"})"), "thinking.display"},
      {with(R"("tools": [{"name": "f", "input_schema": {}}],
               "tool_choice": {"type": "auto", "name": "f"})"),
       "tool_choice.name"},
      {R"({"max_tokens":5,"messages":[{"role":"user","content":[{"type":"tool_result"}]}]})",
       "messages[0].content[0].tool_use_id"},
      {R"({"max_tokens":5,"messages":[{"role":"user","content":[{"type":"document",
        "source":{"type":"text","data":"x"},"citations":{"enabled":true}}]}]})",
       "messages[0].content[0].citations.enabled"},
      {R"({"max_tokens":5,"messages":[{"role":"user","content":"Hi"},
        {"role":"assistant","content":"{"}]})",
       "messages"},
  };
  for (const auto& [body, param] : cases) {
    const auto request = parse_messages_request(body);
    ASSERT_FALSE(request) << body;
    EXPECT_EQ(request.error().status, 400) << body;
    EXPECT_EQ(request.error().param, param) << body;
  }
}

}  // namespace
}  // namespace drystone
