#include "serve/api/openai/openai_parse.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

const ApiError& chat_error(const std::string& body) {
  static ApiError error;
  const auto request = parse_chat_request(body);
  error = request ? ApiError{.status = 200} : request.error();
  return error;
}

std::string chat(const std::string& fields) {
  return R"({"messages":[{"role":"user","content":"Hi"}],)" + fields + "}";
}

// Every parameter must reach the sampler under the name that clients know.
TEST(OpenAiParse, ReadsEveryParameterOfAChat) {
  const auto request = parse_chat_request(R"({
    "model": "pebble", "stream": true, "stream_options": {"include_usage": true},
    "messages": [{"role": "developer", "content": "Be brief."},
                 {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}], "name": "ann"}],
    "temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.05, "typical_p": 0.95, "repetition_penalty": 1.1,
    "frequency_penalty": 0.25, "presence_penalty": -0.5, "logit_bias": {"17": -100, "3": 2.5}, "seed": -1,
    "max_completion_tokens": 77, "stop": ["\n\n", "END"], "logprobs": true, "top_logprobs": 5, "ignore_eos": true,
    "chat_template_kwargs": {"enable_thinking": false}, "user": "u-1", "n": 1, "frobnicate": 3})");

  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->model, "pebble");
  EXPECT_EQ(
      boost::json::serialize(request->messages),
      R"([{"role":"system","content":"Be brief."},{"role":"user","content":"One\nTwo","name":"ann"}])");
  EXPECT_EQ(request->template_variables.at("enable_thinking"), boost::json::value(false));
  const GenerationOptions& options = request->options;
  EXPECT_FLOAT_EQ(options.sampling.temperature, 0.5f);
  EXPECT_FLOAT_EQ(options.sampling.top_p, 0.9f);
  EXPECT_EQ(options.sampling.top_k, 40u);
  EXPECT_FLOAT_EQ(options.sampling.min_p, 0.05f);
  EXPECT_FLOAT_EQ(options.sampling.typical_p, 0.95f);
  EXPECT_FLOAT_EQ(options.sampling.repetition_penalty, 1.1f);
  EXPECT_FLOAT_EQ(options.sampling.frequency_penalty, 0.25f);
  EXPECT_FLOAT_EQ(options.sampling.presence_penalty, -0.5f);
  EXPECT_EQ(options.sampling.logit_bias,
            (std::vector<std::pair<TokenId, float>>{{17, -100.f}, {3, 2.5f}}));
  EXPECT_EQ(options.seed, ~std::uint64_t{0});
  EXPECT_EQ(options.tokens_max, 77u);
  EXPECT_EQ(options.stop, (std::vector<std::string>{"\n\n", "END"}));
  EXPECT_EQ(options.top_logprobs, 5u);
  EXPECT_TRUE(options.ignore_eos && options.stream && options.include_usage);
  EXPECT_EQ(options.ignored, (std::vector<std::string>{"frobnicate"}));
}

// A message that names the wrong field, or none, costs a user an hour.
TEST(OpenAiParse, NamesTheFieldAtFault) {
  const std::pair<std::string, std::string> cases[] = {
      {chat(R"("temperature": "hot")"), "temperature"},
      {chat(R"("temperature": 3)"), "temperature"},
      {chat(R"("max_tokens": 0)"), "max_tokens"},
      {chat(R"("max_tokens": 1.5)"), "max_tokens"},
      {chat(R"("seed": "x")"), "seed"},
      {chat(R"("stop": [1])"), "stop[0]"},
      {chat(R"("stop": "")"), "stop"},
      {chat(R"("logit_bias": {"a": 1})"), "logit_bias"},
      {chat(R"("logit_bias": {"5": 101})"), "logit_bias.5"},
      {chat(R"("top_logprobs": 2)"), "top_logprobs"},
      {chat(R"("logprobs": true, "top_logprobs": 21)"), "top_logprobs"},
      {chat(R"("stream": 1)"), "stream"},
      {chat(R"("stream_options": {"include_usage": true})"), "stream_options"},
      {chat(R"("stream": true, "stream_options": {"include_usage": 1})"),
       "stream_options.include_usage"},
      {chat(R"("n": 17)"), "n"},
      {chat(R"("stop_token_ids": [1, "x"])"), "stop_token_ids"},
      {chat(R"("cache_salt": 5)"), "cache_salt"},
      {chat(R"("guided_choice": [])"), "guided_choice"},
      {chat(R"("guided_regex": "a", "guided_choice": ["b"])"), "guided_choice"},
      {chat(R"("structured_outputs": {"json_object": "yes"})"), "structured_outputs"},
      {chat(R"("response_format": {"type": "yaml"})"), "response_format.type"},
      {chat(R"("response_format": {"type": "json_object"}, "guided_regex": "a")"), "guided_regex"},
      {chat(R"("max_tokens": 5, "max_completion_tokens": 6)"), "max_tokens"},
      {chat(R"("reasoning_effort": "banana")"), "reasoning_effort"},
      {chat(R"("skip_special_tokens": false)"), "skip_special_tokens"},
      {chat(R"("tool_choice": "required")"), "tool_choice"},
      {chat(R"("tool_choice": {"type": "function", "function": {"name": "f"}})"), "tool_choice"},
      {chat(R"("response_format": {"type": "json_schema", "json_schema": {}})"),
       "response_format.json_schema.schema"},
      {chat(R"("modalities": ["text", "audio"])"), "modalities"},
      {chat(R"("functions": [{"name": "f"}])"), "functions"},
      {chat(R"("tools": ["f"])"), "tools[0]"},
      {chat(R"("chat_template_kwargs": [])"), "chat_template_kwargs"},
      {R"({"messages": []})", "messages"},
      {R"({"messages": "Hi"})", "messages"},
      {R"({"model": "m"})", "messages"},
      {R"({"messages": ["Hi"]})", "messages[0]"},
      {R"({"messages": [{"content": "Hi"}]})", "messages[0].role"},
      {R"({"messages": [{"role": "robot", "content": "Hi"}]})", "messages[0].role"},
      {R"({"messages": [{"role": "user"}]})", "messages[0].content"},
      {R"({"messages": [{"role": "user", "content": 5}]})", "messages[0].content"},
      {R"({"messages": [{"role": "user", "content": [{"type": "text"}]}]})",
       "messages[0].content[0].text"},
      {R"({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]})",
       "messages[0].content[0].type"},
  };
  for (const auto& [body, param] : cases) {
    const ApiError& error = chat_error(body);
    EXPECT_EQ(error.status, 400) << body;
    EXPECT_EQ(error.type, "invalid_request_error") << body;
    EXPECT_EQ(error.param, param) << body;
    EXPECT_NE(error.message.find('\''), std::string::npos) << "no field in: " << error.message;
  }
}

// A misspelt name within an object would look as if it had been honoured.
TEST(OpenAiParse, RefusesUnknownNamesWithinObjects) {
  const std::string tools =
      R"("tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": )";
  const std::pair<std::string, std::string> cases[] = {
      {R"("structured_outputs": {"json": {}, "strict": true})", "structured_outputs.strict"},
      {R"("structured_outputs": {"jsn": {}})", "structured_outputs.jsn"},
      {R"("stream": true, "stream_options": {"include_usages": true})",
       "stream_options.include_usages"},
      {R"("stream": true, "stream_options": {"continuous_usage_stats": true})",
       "stream_options.continuous_usage_stats"},
      {R"("reasoning": {"efort": "low"})", "reasoning.efort"},
      {R"("reasoning": {"effort": "banana"})", "reasoning.effort"},
      {R"("response_format": {"type": "text", "schema": {}})", "response_format.schema"},
      {R"("response_format": {"type": "regex", "regex": "a", "flags": "i"})",
       "response_format.flags"},
      {R"("response_format": {"type": "json_schema", "json_schema": {"schema": {}, "x": 1}})",
       "response_format.json_schema.x"},
      {R"("response_format": {"type": "json_schema", "json_schema": {"schema": {}}, "strict": true})",
       "response_format.strict"},
      {tools + R"({"type": "function", "function": {"name": "f", "x": 1}})",
       "tool_choice.function.x"},
      {tools + R"({"type": "function", "function": {"name": "f"}, "x": 1})", "tool_choice.x"},
      {tools + R"({"type": "custom", "function": {"name": "f"}})", "tool_choice.type"},
      {R"("logit_bias": {"x": 1})", "logit_bias"},
  };
  for (const auto& [fields, param] : cases) {
    const ApiError& error = chat_error(chat(fields));
    EXPECT_EQ(error.status, 400) << fields;
    EXPECT_EQ(error.param, param) << fields << ": " << error.message;
  }
}

// Clients hand back messages of other servers: what is dropped of them is named, not refused.
TEST(OpenAiParse, NamesWhatItDropsOfMessages) {
  const auto request = parse_chat_request(R"({"messages": [
    {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": {}, "index": 0}]},
    {"role": "assistant", "content": null, "refusal": "No.", "annotations": [], "audio": null,
     "finish_reason": "stop"},
    {"role": "assistant", "content": "Yes.", "refusal": null, "finish_reason": "stop"},
    {"role": "user", "content": "Go on."}]})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->options.ignored,
            (std::vector<std::string>{"messages.content.index", "messages.finish_reason"}));
  EXPECT_EQ(request->messages[1].at("content"), "No.") << "what was said instead of an answer";
  for (const char* field : {R"("prefix": true)", R"("partial": true)", R"("images": ["x"])"})
    EXPECT_EQ(chat_error(std::string(R"({"messages": [{"role": "assistant", "content": "a", )") +
                         field + "}]}")
                  .status,
              400)
        << field;
}

TEST(OpenAiParse, AcceptsWhatChangesNothing) {
  for (const char* fields :
       {R"("user": "u", "metadata": {"a": "b"}, "store": true, "service_tier": "auto")",
        R"("n": 1, "stop": null)", R"("tool_choice": "auto", "parallel_tool_calls": true)",
        R"("response_format": {"type": "text"})",
        R"("modalities": ["text"], "logit_bias": null, "functions": [], "audio": null)",
        R"("max_tokens": 5.0, "max_completion_tokens": 5)", R"("skip_special_tokens": true)",
        R"("stream": true, "stream_options": {"include_obfuscation": true})",
        R"("logprobs": false, "top_logprobs": 0, "stream_options": null)"})
    EXPECT_EQ(chat_error(chat(fields)).status, 200)
        << fields << ": " << chat_error(chat(fields)).message;
}

// What other servers call by other names must mean the same.
TEST(OpenAiParse, ReadsEveryNameOfAConstraint) {
  using Kind = Constraint::Kind;
  const std::pair<const char*, Kind> cases[] = {
      {R"("response_format": {"type": "json_object"})", Kind::json_object},
      {R"("response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}})",
       Kind::json_schema},
      {R"("response_format": {"type": "json_object", "schema": {"type": "object"}})",
       Kind::json_schema},
      {R"("response_format": {"type": "json_schema", "json_schema": {"name": "x", "description": "y", "strict": true, "schema": {}}})",
       Kind::json_schema},
      {R"("json_schema": {"type": "object"})", Kind::json_schema},
      {R"("grammar": "root ::= \"a\"")", Kind::grammar},
      {R"("guided_json": {})", Kind::json_schema},
      {R"("guided_regex": "a+")", Kind::regex},
      {R"("structured_outputs": {"choice": ["a", "b"]})", Kind::choice},
      {R"("response_format": {"type": "text"})", Kind::none},
  };
  for (const auto& [fields, kind] : cases) {
    const auto request = parse_chat_request(chat(fields));
    ASSERT_TRUE(request) << fields << ": " << request.error().message;
    EXPECT_EQ(request->options.constraint.kind, kind) << fields;
  }
}

TEST(OpenAiParse, ReadsTheExtensionsOfOtherServers) {
  const auto request = parse_chat_request(chat(
      R"("n": 3, "min_tokens": 2, "stop_token_ids": [5, 6], "cache_salt": "tenant", "priority": -1,
         "enable_thinking": false, "reasoning_effort": "low", "parallel_tool_calls": false)"));
  ASSERT_TRUE(request) << request.error().message;
  const GenerationOptions& options = request->options;
  EXPECT_EQ(options.choices, 3u);
  EXPECT_EQ(options.tokens_min, 2u);
  EXPECT_EQ(options.stop_tokens, (std::vector<TokenId>{5, 6}));
  EXPECT_EQ(options.cache_salt, "tenant");
  EXPECT_EQ(options.priority, -1);
  EXPECT_FALSE(request->parallel_tool_calls);
  EXPECT_EQ(request->template_variables.at("enable_thinking"), boost::json::value(false));
  EXPECT_EQ(request->template_variables.at("reasoning_effort"), boost::json::value("low"));
  EXPECT_TRUE(options.ignored.empty());
}

// Hermes and OpenRouter's clients say it so.
TEST(OpenAiParse, ReadsReasoningAsAnObject) {
  const auto off = parse_chat_request(
      chat(R"("reasoning": {"enabled": false, "exclude": true, "max_tokens": 100})"));
  ASSERT_TRUE(off) << off.error().message;
  EXPECT_EQ(off->template_variables.at("enable_thinking"), boost::json::value(false));
  EXPECT_FALSE(off->include_reasoning);
  const auto high = parse_chat_request(chat(R"("reasoning": {"enabled": true, "effort": "high"})"));
  ASSERT_TRUE(high);
  EXPECT_EQ(high->template_variables.at("enable_thinking"), boost::json::value(true));
  EXPECT_EQ(high->template_variables.at("reasoning_effort"), boost::json::value("high"));
  EXPECT_TRUE(high->options.ignored.empty());
  EXPECT_EQ(chat_error(chat(R"("reasoning": {"effort": 3})")).param, "reasoning.effort");
  const auto echoed = parse_chat_request(
      R"({"messages":[{"role":"assistant","content":"a","reasoning":"hm"},{"role":"user","content":"b"}]})");
  ASSERT_TRUE(echoed);
  EXPECT_EQ(echoed->messages[0].at("reasoning_content"), boost::json::value("hm"));
}

// Agents send whole tool conversations; the template must see them in Transformers' form.
TEST(OpenAiParse, KeepsToolCallsWithArgumentsAsObjects) {
  const auto request = parse_chat_request(R"({"messages": [{"role": "user", "content": "Weather?"},
    {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function",
      "function": {"name": "weather", "arguments": "{\"city\": \"Bern\"}"}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "Sun"}],
    "tools": [{"type": "function", "function": {"name": "weather"}}]})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(
      boost::json::serialize(request->messages[1]),
      R"({"role":"assistant","content":"","tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":{"city":"Bern"}}}]})");
  EXPECT_EQ(request->messages[2].at("tool_call_id"), "c1");
  EXPECT_EQ(request->tools.size(), 1u);
}

TEST(OpenAiParse, RefusesBodiesThatAreNoObject) {
  for (const std::string body : {"", "[]", "{", "{\"messages\": \"\xff\"}", "{} x", "nul"})
    EXPECT_EQ(chat_error(body).status, 400) << body;
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "{\"a\":";
  EXPECT_NE(chat_error(deep).message.find("JSON"), std::string::npos);
}

TEST(OpenAiParse, ReadsEveryFormOfAPrompt) {
  const auto text = parse_completion_request(
      R"({"prompt": "Once", "max_tokens": 3, "logprobs": 2, "echo": false})");
  ASSERT_TRUE(text);
  EXPECT_EQ(std::get<std::string>(text->prompts.at(0)), "Once");
  EXPECT_EQ(text->options.tokens_max, 3u);
  EXPECT_EQ(text->options.top_logprobs, 2u);
  const auto listed = parse_completion_request(R"({"prompt": ["Once"]})");
  ASSERT_TRUE(listed);
  EXPECT_EQ(std::get<std::string>(listed->prompts.at(0)), "Once");
  EXPECT_EQ(listed->options.tokens_max, 16u) << "the API's default";
  for (const char* body : {R"({"prompt": [1, 22, 3]})", R"({"prompt": [[1, 22, 3]]})"}) {
    const auto ids = parse_completion_request(body);
    ASSERT_TRUE(ids) << body;
    EXPECT_EQ(std::get<std::vector<TokenId>>(ids->prompts.at(0)), (std::vector<TokenId>{1, 22, 3}))
        << body;
  }
  const auto several = parse_completion_request(R"({"prompt": ["a", [7, 8]]})");
  ASSERT_TRUE(several) << several.error().message;
  EXPECT_EQ(several->prompts.size(), 2u);
  EXPECT_EQ(parse_completion_request(R"({"prompt": ["a", "b"], "suffix": "z"})")->suffix, "z");
}

TEST(OpenAiParse, RefusesCompletionsItCannotAnswer) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({})", "prompt"},
      {R"({"prompt": ["a", {}]})", "prompt[1]"},
      {R"({"prompt": [1, -2]})", "prompt"},
      {R"({"prompt": [1, "a"]})", "prompt"},
      {R"({"prompt": [1, 2], "suffix": "z"})", "suffix"},
      {R"({"prompt": ["a", [1, 2]], "suffix": "z"})", "suffix"},
      {R"({"prompt": "a", "max_completion_tokens": 2})", "max_completion_tokens"},
      {R"({"prompt": "a", "best_of": 2})", "best_of"},
      {R"({"prompt": "a", "logprobs": 21})", "logprobs"},
      {R"({"prompt": "a", "echo": true, "logprobs": 1})", "echo"},
  };
  for (const auto& [body, param] : cases) {
    const auto request = parse_completion_request(body);
    ASSERT_FALSE(request) << body;
    EXPECT_EQ(request.error().param, param) << body;
  }
}

}  // namespace
}  // namespace drystone
