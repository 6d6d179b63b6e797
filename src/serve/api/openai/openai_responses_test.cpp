#include "serve/api/openai/openai_responses.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

ApiResult<ResponseRequest> parse(const std::string& fields) {
  static const SystemClock clock;
  static const ResponseStore store(clock);
  return parse_response_request("{" + fields + "}", store);
}

// A message that names the wrong field, or none, costs a user an hour.
TEST(ResponsesParse, NamesTheFieldAtFault) {
  const std::string hi = R"("input": "Hi", )";
  const std::string tools = hi + R"("tools": [{"type": "function", "name": "f"}], )";
  const std::pair<std::string, std::string> cases[] = {
      {hi + R"("reasoning": {"efort": "low"})", "reasoning.efort"},
      {hi + R"("reasoning": {"effort": "banana"})", "reasoning.effort"},
      {hi + R"("text": {"formt": {"type": "text"}})", "text.formt"},
      {hi + R"("text": {"format": {"type": "json_schema", "name": "x"}})", "text.format.schema"},
      {hi + R"("text": {"format": {"type": "json_schema", "schema": {}, "x": 1}})",
       "text.format.x"},
      {hi + R"("text": {"format": {"type": "json_object"}}, "guided_regex": "a")", "text.format"},
      {hi + R"("stream": true, "stream_options": {"x": 1})", "stream_options.x"},
      {hi + R"("include": ["message.output_text.logprobs"])", "include[0]"},
      {hi + R"("include": [5])", "include[0]"},
      {hi + R"("max_tokens": 5)", "max_tokens"},
      {hi + R"("logprobs": true)", "logprobs"},
      {tools + R"("tool_choice": {"type": "function", "name": "f", "x": 1})", "tool_choice.x"},
      {tools + R"("tool_choice": {"type": "custom", "name": "f"})", "tool_choice.type"},
      {R"("input": [{"role": "user"}])", "input[0].content"},
      {R"("input": [{"role": "robot", "content": "Hi"}])", "input[0].role"},
      {R"("input": ["Hi"])", "input[0]"},
      {R"("input": [{"role": "user", "content": [{"type": "input_image"}]}])",
       "input[0].content[0].type"},
      {R"("input": [{"type": "function_call"}])", "input[0].name"},
      {R"("input": [{"type": "thought"}])", "input[0].type"},
  };
  for (const auto& [fields, param] : cases) {
    const auto request = parse(fields);
    ASSERT_FALSE(request) << fields;
    EXPECT_EQ(request.error().status, 400) << fields;
    EXPECT_EQ(request.error().param, param) << fields << ": " << request.error().message;
    EXPECT_NE(request.error().message.find('\''), std::string::npos) << request.error().message;
  }
}

// Codex and others always send these.
TEST(ResponsesParse, TakesWhatAgentsSend) {
  const auto request = parse(R"(
    "input": [{"type": "message", "id": "m", "status": "completed", "role": "assistant", "phase": "x",
               "content": [{"type": "output_text", "text": "a", "annotations": [], "logprobs": []}]},
              {"role": "user", "content": "Hi", "mood": "good"}],
    "reasoning": {"effort": "xhigh", "summary": "auto"}, "text": {"verbosity": "medium"},
    "include": ["reasoning.encrypted_content", "web_search_call.action.sources"],
    "tools": [{"type": "function", "name": "f", "strict": false, "defer_loading": true},
              {"type": "web_search"}, {"type": "web_search"}],
    "store": false, "prompt_cache_key": "k", "tool_choice": "auto")");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->chat.options.ignored,
            (std::vector<std::string>{"tools.defer_loading", "tools.web_search", "input.mood"}));
  EXPECT_TRUE(request->seal_reasoning);
}

}  // namespace
}  // namespace drystone
