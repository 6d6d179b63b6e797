#include "serve/api/ollama/ollama_parse.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

namespace json = boost::json;

TEST(OllamaParse, ReadsEveryOption) {
  const auto request = parse_ollama_chat(R"({"model": "m:latest", "stream": false, "think": "low",
    "keep_alive": "5m", "messages": [{"role": "user", "content": "Hi"}],
    "options": {"temperature": 0.5, "top_k": 20, "top_p": 0.9, "min_p": 0.1, "typical_p": 0.8,
      "repeat_penalty": 1.2, "repeat_last_n": 32, "presence_penalty": 0.5, "frequency_penalty": 0.25,
      "seed": 42, "num_predict": 7, "num_ctx": 4096, "stop": ["END"], "num_thread": 8, "mirostat": 0,
      "frobnicate": 1}})");
  ASSERT_TRUE(request) << request.error().message;
  const GenerationOptions& options = request->options();
  EXPECT_EQ(request->chat.model, "m");
  EXPECT_FLOAT_EQ(options.sampling.temperature, 0.5f);
  EXPECT_EQ(options.sampling.top_k, 20u);
  EXPECT_FLOAT_EQ(options.sampling.top_p, 0.9f);
  EXPECT_FLOAT_EQ(options.sampling.min_p, 0.1f);
  EXPECT_FLOAT_EQ(options.sampling.typical_p, 0.8f);
  EXPECT_FLOAT_EQ(options.sampling.repetition_penalty, 1.2f);
  EXPECT_EQ(options.sampling.penalty_window, 32u);
  EXPECT_FLOAT_EQ(options.sampling.presence_penalty, 0.5f);
  EXPECT_FLOAT_EQ(options.sampling.frequency_penalty, 0.25f);
  EXPECT_EQ(options.seed, 42u);
  EXPECT_EQ(options.tokens_max, 7u);
  EXPECT_EQ(request->context_min, 4096u);
  EXPECT_EQ(options.stop, std::vector<std::string>{"END"});
  EXPECT_EQ(options.ignored, std::vector<std::string>{"options.frobnicate"});
  EXPECT_FALSE(options.stream);
  EXPECT_EQ(request->chat.template_variables.at("reasoning_effort"), json::value("low"));
  EXPECT_TRUE(parse_ollama_chat(R"({"messages": []})")->options().stream) << "the API's default";
}

TEST(OllamaParse, ReadsAConversationWithTools) {
  const auto request = parse_ollama_chat(R"({"messages": [
    {"role": "system", "content": "Brief."}, {"role": "user", "content": "Weather?"},
    {"role": "assistant", "content": "", "thinking": "hm",
     "tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Bern"}}}]},
    {"role": "tool", "tool_name": "weather", "content": "Sun"}]})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(
      json::serialize(request->chat.messages),
      R"([{"role":"system","content":"Brief."},{"role":"user","content":"Weather?"},)"
      R"({"role":"assistant","content":"","reasoning_content":"hm","tool_calls":[{"id":"","type":"function","function":{"name":"weather","arguments":{"city":"Bern"}}}]},)"
      R"({"role":"tool","content":"Sun","name":"weather"}])");
}

TEST(OllamaParse, KnowsWhatAPromptIsFor) {
  const auto plain = parse_ollama_generate(R"({"prompt": "Hi", "system": "S"})");
  EXPECT_FALSE(plain->completion.has_value());
  EXPECT_EQ(plain->chat.messages.size(), 2u);
  const auto raw = parse_ollama_generate(R"({"prompt": "Hi", "raw": true})");
  EXPECT_TRUE(raw->completion.has_value());
  const auto insert = parse_ollama_generate(R"({"prompt": "a", "suffix": "b"})");
  EXPECT_EQ(insert->completion->suffix, "b");
  EXPECT_TRUE(parse_ollama_generate(R"({"model": "m"})")->load_only);
  EXPECT_TRUE(parse_ollama_generate(R"({"keep_alive": 0})")->unload);
}

TEST(OllamaParse, NamesTheFieldAtFault) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"messages": 5})", "messages"},
      {R"({"messages": [{"role": "robot", "content": "x"}]})", "messages[0].role"},
      {R"({"messages": [{"role": "user", "content": "x", "images": ["y"]}]})",
       "messages[0].images"},
      {R"({"options": {"temperature": "hot"}})", "options.temperature"},
      {R"({"options": {"mirostat": 1}})", "options.mirostat"},
      {R"({"format": "xml"})", "format"},
      {R"({"think": 5})", "think"},
      {R"({"think": "banana"})", "think"},
      {R"({"keep_alive": "banana"})", "keep_alive"},
      {R"({"keep_alive": "5 minutes"})", "keep_alive"},
      {R"({"keep_alive": "5"})", "keep_alive"},
      {R"({"options": {"num_predict": 0}})", "options.num_predict"},
      {R"({"options": {"num_predict": -3}})", "options.num_predict"},
      {R"({"options": {"seed": 1.5}})", "options.seed"},
      {R"({"tools": [{"type": "custom", "function": {"name": "f"}}]})", "tools"},
      {R"({"debug_render_only": true})", "debug_render_only"},
      {R"({"keep_alive": {}})", "keep_alive"},
      {R"({"tools": [{}]})", "tools"},
      {R"({"stream": "yes"})", "stream"},
  };
  for (const auto& [body, param] : cases) {
    const auto request = parse_ollama_chat(body);
    ASSERT_FALSE(request) << body;
    EXPECT_EQ(request.error().param, param) << body;
  }
  for (const char* body : {R"({"template": "x"})", R"({"context": [1]})", R"({"images": ["x"]})",
                           R"({"prompt": "a", "raw": true, "system": "b"})",
                           R"({"prompt": "a", "raw": true, "suffix": "b"})",
                           R"({"prompt": "a", "raw": true, "think": true})",
                           R"({"prompt": "a", "suffix": "b", "system": "c"})"})
    EXPECT_FALSE(parse_ollama_generate(body)) << body;
  for (const char* body : {R"({"input": "a", "keep_alive": "soon"})"})
    EXPECT_FALSE(parse_ollama_embed(body)) << body;
  for (const char* body : {R"({"model": "a", "verbose": true})", R"({"model": "a", "x": 1})"})
    EXPECT_FALSE(parse_ollama_model(body)) << body;
}

TEST(OllamaParse, ReadsDurationsAsGoWritesThem) {
  const auto unloads = [](const std::string& keep) {
    const auto request = parse_ollama_chat(R"({"keep_alive": )" + keep + "}");
    EXPECT_TRUE(request) << keep;
    return request && request->unload;
  };
  for (const char* keep : {"0", "0.0", R"("0")", R"("0s")", R"("-0m")", R"("0h0m")"})
    EXPECT_TRUE(unloads(keep)) << keep;
  for (const char* keep :
       {"300", "-1", R"("5m")", R"("1h30m")", R"("1.5h")", R"("-1s")", R"("10ms")", R"("+.5s")"})
    EXPECT_FALSE(unloads(keep)) << keep;
}

// As Ollama's own: clients that want another answer each time send it.
TEST(OllamaParse, ASeedOfMinusOneIsARandomOne) {
  const auto seed = [](const std::string& text) {
    return parse_ollama_chat(R"({"options": {"seed": )" + text + "}}")->options().seed;
  };
  EXPECT_EQ(seed("-1"), std::nullopt);
  EXPECT_EQ(seed("-2"), ~std::uint64_t{1});
  EXPECT_EQ(seed("9223372036854775809"), (std::uint64_t{1} << 63) + 1);
}

TEST(OllamaParse, NamesWhatItDropsOfMessages) {
  const auto request = parse_ollama_chat(
      R"({"messages": [{"role": "user", "content": "Hi", "mood": "good"},
                       {"role": "tool", "name": "f", "content": "Sun"}]})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->options().ignored, std::vector<std::string>{"messages.mood"});
  EXPECT_EQ(request->chat.messages[1].at("name"), "f");
}

}  // namespace
}  // namespace drystone
