#include "serve/toolcall/reply_splitter.h"

#include <gtest/gtest.h>

#include <set>

#include "serve/toolcall/joined_parts.h"

namespace drystone {
namespace {

boost::json::array weather_tools() {
  return boost::json::parse(R"([
    {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object",
      "properties": {"city": {"type": "string"}, "days": {"type": "integer"},
                     "exact": {"type": "boolean"}, "filter": {"type": "object"},
                     "zip": {"type": ["string", "null"]}}}}},
    {"type": "function", "function": {"name": "python", "parameters": {"type": "object"}}}])")
      .as_array();
}

SplitterOptions options(ToolFormat format, bool reasoning = false) {
  SplitterOptions options{.format = {.tools = format}, .tools = weather_tools()};
  if (reasoning) options.format.reasoning = {"<think>", "</think>"};
  return options;
}

std::string split(ToolFormat format, std::string_view text, bool reasoning = false) {
  return written(split_everywhere(text, options(format, reasoning)));
}

// The plainest case must not change a byte: most replies are just text.
TEST(ReplySplitter, PlainTextComesOutAsItIs) {
  for (int format = 0; format <= static_cast<int>(ToolFormat::harmony); ++format) {
    EXPECT_EQ(split(static_cast<ToolFormat>(format), "  Grüße <b>\n\n[TOOL_] <tool_ {x}  \n"),
              "content:  Grüße <b>\n\n[TOOL_] <tool_ {x}  \n")
        << format;
  }
}

// A client must see text as it is written, and never half of a mark.
TEST(ReplySplitter, HoldsBackOnlyWhatMayBeAMark) {
  ReplySplitter splitter(options(ToolFormat::hermes));
  EXPECT_EQ(written(splitter.push("a <b> <tool")), "content:a <b>");
  EXPECT_EQ(written(splitter.push("box>")), "content: <toolbox>");
  EXPECT_EQ(written(splitter.push(" <tool_call>{\"name\": \"get_weather\", \"argum")), "");
  EXPECT_EQ(written(splitter.push("ents\": {\"city\": \"Br")), "call get_weather:{\"city\": \"Br");
  EXPECT_EQ(written(splitter.push("no\\")), "no");
  EXPECT_EQ(written(splitter.push("n\"}}</tool_")), "\\n\"}");
  EXPECT_EQ(written(splitter.push("call>")), "");
  EXPECT_EQ(written(splitter.finish()), "");
}

// SSE events must be valid UTF-8, wherever the tokens of the model cut a character.
TEST(ReplySplitter, PartsAreWholeCharacters) {
  ReplySplitter splitter(options(ToolFormat::hermes));
  EXPECT_EQ(written(splitter.push("a\xE2\x82")), "content:a");
  EXPECT_EQ(written(splitter.push("\xAC!")), "content:€!");
}

// Each choice of each request must have ids of its own, or agents mix up results.
TEST(ReplySplitter, IdsAreFreshAndFollowTheSeed) {
  const std::string_view call = R"(<tool_call>{"name": "f", "arguments": {}}</tool_call>)";
  std::set<std::string> ids;
  for (const std::uint64_t seed : {1, 2, 2}) {
    SplitterOptions seeded = options(ToolFormat::hermes);
    seeded.id_seed = seed;
    for (const ReplyPart& part : joined_parts({call, call}, seeded))
      if (part.kind == ReplyPart::Kind::tool_call) ids.insert(part.id);
  }
  EXPECT_EQ(ids.size(), 4U);
  for (const std::string& id : ids) EXPECT_EQ(id.size(), 29U) << id;
}

// Reasoning must not reach the user as an answer, whether the prompt or the model opened it.
TEST(ReplySplitter, ReasoningIsSplitOff) {
  SplitterOptions open = options(ToolFormat::hermes, true);
  open.reasoning_open = true;
  EXPECT_EQ(written(split_everywhere("so <thin\n</think>\n\nHi <think>.", open)),
            "reasoning:so <thin|content:Hi <think>.");
  EXPECT_EQ(split(ToolFormat::hermes, "\n<think>\nso\n</think>\n\nHi", true),
            "reasoning:so|content:Hi");
  EXPECT_EQ(split(ToolFormat::hermes, "<think></think>\nHi", true), "content:Hi");
  EXPECT_EQ(split(ToolFormat::hermes, "<think>cut o", true), "reasoning:cut o");
  EXPECT_EQ(split(ToolFormat::hermes, "</think>\nHi </think>", true), "content:Hi </think>");
  EXPECT_EQ(split(ToolFormat::hermes, "<think>so</think>", false), "content:<think>so</think>");
}

// Models quote their own marks while they think; but some call without closing the thought.
TEST(ReplySplitter, OnlyACallToAKnownToolEndsReasoning) {
  EXPECT_EQ(split(ToolFormat::hermes,
                  "<think>write <tool_call> or <tool_call>{\"name\": \"x\", \"arguments\": {}} "
                  "<tool_call>{\"name\": \"get_weather\", \"arguments\": {}}</tool_call>",
                  true),
            "reasoning:write <tool_call> or <tool_call>{\"name\": \"x\", \"arguments\": {}}"
            "|call get_weather:{}");
}

TEST(ReplySplitter, HermesReadsWhatModelsWrite) {
  const auto hermes = [](std::string_view text) { return split(ToolFormat::hermes, text); };
  EXPECT_EQ(hermes("I look.\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": "
                   "\"Brno\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"f\", \"arguments\": "
                   "{}}\n</tool_call>\n"),
            "content:I look.|call get_weather:{\"city\": \"Brno\"}|call f:{}");
  // Arguments first, as a string, under the other name, or none at all.
  EXPECT_EQ(hermes(R"(<tool_call>{"arguments": {"a": 1}, "name": "f"}</tool_call>)"),
            "call f:{\"a\": 1}");
  EXPECT_EQ(hermes(R"(<tool_call>{"name": "f", "arguments": "{\"a\": 1}"}</tool_call>)"),
            "call f:{\"a\": 1}");
  EXPECT_EQ(hermes(R"(<tool_call>{"name": "f", "parameters": {"a": 1}, "x": [2]}</tool_call>)"),
            "call f:{\"a\": 1}");
  EXPECT_EQ(hermes(R"(<tool_call>{"name": "f"}</tool_call> done)"), "call f:{}|content:done");
  // Without the closing tag.
  EXPECT_EQ(hermes(R"(<tool_call>{"name": "f", "arguments": {}} <tool_call>{"name": "g"})"),
            "call f:{}|call g:{}");
  // A line end and an escape that JSON does not have, inside a string.
  EXPECT_EQ(hermes("<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"x\ny\\'\\u00e9\\uzz\"}}"),
            "call f:{\"a\": \"x\\ny\\\\'\\u00e9\\\\uzz\"}");
}

// What only looks like a call is the user's text, whole.
TEST(ReplySplitter, WhatIsNoCallStaysContent) {
  for (const std::string_view text :
       {"<tool_call>", "<tool_call>\nno JSON</tool_call>", "<tool_call>{\"a\": 1}</tool_call>",
        "<tool_call>{\"name\": 5, \"arguments\": {}}",
        "<tool_call>{\"name\": \"f\", \"arguments\": [1]}", "<tool_call>{\"name\": \"f",
        "<tool_call>{\"name\": \"f\", \"arguments\": \"no object\"}"}) {
    EXPECT_EQ(split(ToolFormat::hermes, text), "content:" + std::string(text));
  }
  EXPECT_EQ(split(ToolFormat::deepseek_v3_1, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f{}"),
            "content:<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f{}");
  EXPECT_EQ(split(ToolFormat::glm, "<tool_call>is a tag\n</tool_call>"),
            "content:<tool_call>is a tag\n</tool_call>");
  EXPECT_EQ(split(ToolFormat::qwen3_coder, "write <function=f> then"),
            "content:write <function=f> then");
  EXPECT_EQ(split(ToolFormat::mistral_args, "[TOOL_CALLS] [1, 2]"), "content:[TOOL_CALLS] [1, 2]");
}

// A request without tools wants no calls: what the model writes is what it says.
TEST(ReplySplitter, WithoutToolsCallsAreContent) {
  SplitterOptions none = options(ToolFormat::hermes);
  none.tools = {};
  const std::string text = R"(<tool_call>{"name": "f", "arguments": {}}</tool_call>)";
  EXPECT_EQ(written(split_everywhere(text, none)), "content:" + text);
}

// When the token limit cuts a call, the client gets what was written of it.
TEST(ReplySplitter, TruncatedCallsKeepWhatWasWritten) {
  EXPECT_EQ(split(ToolFormat::hermes, R"(<tool_call>{"name": "f", "arguments": {"a": "b\)"),
            "call f:{\"a\": \"b");
  EXPECT_EQ(
      split(ToolFormat::qwen3_coder, "<tool_call>\n<function=get_weather>\n<parameter=city>\nBr"),
      "call get_weather:{\"city\": \"Br");
  EXPECT_EQ(split(ToolFormat::kimi_k2,
                  "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0"
                  "<|tool_call_argument_begin|>{\"a\": [1"),
            "call f:{\"a\": [1");
  EXPECT_EQ(split(ToolFormat::harmony, "<|channel|>commentary to=functions.f<|message|>{\"a\":"),
            "call f:{\"a\":");
}

// ... and no part of the marks around it: they are not what the model says.
TEST(ReplySplitter, WhatTheLimitCutsShowsNoMarks) {
  struct Case {
    ToolFormat format;
    std::string_view text, expected;
  };
  const Case cases[] = {
      {ToolFormat::hermes, "Ok.\n<tool_call>", "content:Ok."},
      {ToolFormat::hermes, "Ok.\n<tool_call>\n{\"name\": \"get_w", "content:Ok."},
      {ToolFormat::hermes, "<tool_call>\n{\"name\": \"get_weather\"", "call get_weather:"},
      {ToolFormat::hermes, R"(<tool_call>{"name": "f", "argum)", "call f:"},
      {ToolFormat::hermes, R"(<tool_call>{"name": "f", "arguments": {"a")", "call f:{\"a\""},
      {ToolFormat::hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {}}\n</tool_c",
       "call f:{}"},
      {ToolFormat::hermes, R"(<tool_call>{"name": "f"}</tool_call><tool_call>{"na)", "call f:{}"},
      {ToolFormat::llama3, R"({"name": "get_weather", "param)", "call get_weather:"},
      {ToolFormat::llama3, R"(<|python_tag|>{"name": "get_wea)", ""},
      {ToolFormat::llama3, R"({"name": "get_weather", "parameters": {}}; {"name)",
       "call get_weather:{}"},
      {ToolFormat::mistral_args, "[TOOL_CALLS]get_wea", ""},
      {ToolFormat::mistral_args, "[TOOL_CALLS]get_weather[ARGS]", "call get_weather:"},
      {ToolFormat::mistral_array, R"([TOOL_CALLS][{"name": "f", "arg)", "call f:"},
      {ToolFormat::deepseek_v3_1, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather", ""},
      {ToolFormat::deepseek_v3_1,
       "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>", "call get_weather:"},
      {ToolFormat::deepseek_r1, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>",
       ""},
      {ToolFormat::kimi_k2,
       "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0"
       "<|tool_call_argument_begin|>",
       "call get_weather:"},
      {ToolFormat::qwen3_coder, "<tool_call>\n<function=get_wea", ""},
      {ToolFormat::qwen3_coder, "<tool_call>\n<function=get_weather>\n<para", "call get_weather:{"},
      {ToolFormat::glm, "<tool_call>get_weather\n<arg_", ""},
      {ToolFormat::minimax_m2, "<minimax:tool_call>\n<invoke name=\"f\">\n</invoke>\n<invo",
       "call f:{}"},
      {ToolFormat::harmony, "<|channel|>commentary to=functions.f<|message|>", "call f:"},
  };
  for (const auto& [format, text, expected] : cases)
    EXPECT_EQ(written(split_everywhere(text, options(format), ReplyEnd::cut)), expected)
        << to_string(format) << ": " << text;
  // What is no call stays text, however it ends.
  for (const std::string_view text :
       {"<tool_call> is a tag", "if (a <", "a <tool", "{\"name\": \"x"})
    EXPECT_EQ(written(split_everywhere(text, options(ToolFormat::hermes), ReplyEnd::cut)),
              "content:" + std::string(text));
}

// Arguments must stay the beginning of valid JSON; what breaks them is not hidden.
TEST(ReplySplitter, WhatFollowsBrokenArgumentsIsContent) {
  EXPECT_EQ(split(ToolFormat::hermes, R"(<tool_call>{"name": "f", "arguments": {"a": 01}} x)"),
            "call f:{\"a\": 0|content:1}} x");
}

TEST(ReplySplitter, LlamaCallsWithAndWithoutTag) {
  const auto llama = [](std::string_view text) { return split(ToolFormat::llama3, text); };
  EXPECT_EQ(llama(R"({"name": "get_weather", "parameters": {"city": "Brno"}})"),
            "call get_weather:{\"city\": \"Brno\"}");
  EXPECT_EQ(
      llama(
          R"({"type": "function", "name": "get_weather", "parameters": {}}; {"name": "python", "parameters": {}})"),
      "call get_weather:{}|call python:{}");
  EXPECT_EQ(llama("<|python_tag|>{\"name\": \"get_weather\", \"parameters\": {}}"),
            "call get_weather:{}");
  EXPECT_EQ(llama("<|python_tag|>get_weather.call(city=\"Brno\", zip=\"1\")"),
            "call get_weather:{\"city\": \"Brno\", \"zip\": \"1\"}");
  EXPECT_EQ(llama("<|python_tag|>print(\"a\")\n"),
            "call python:{\"code\": \"print(\\\"a\\\")\\n\"}");
  // JSON that is an answer.
  for (const std::string_view text :
       {R"({"name": "Brno", "parameters": {}})", R"({"city": "Brno"})",
        R"({"name": "get_weather"})", R"(See {"name": "get_weather", "parameters": {}})"})
    EXPECT_EQ(llama(text), "content:" + std::string(text));
}

TEST(ReplySplitter, MistralCallsInBothForms) {
  const auto mistral = [](std::string_view text) { return split(ToolFormat::mistral_args, text); };
  EXPECT_EQ(
      mistral(
          R"([TOOL_CALLS] [{"name": "f", "arguments": {"a": 1}, "id": "abcdefghi"}, {"name": "g", "arguments": {}}])"),
      "call f:{\"a\": 1}|call g:{}");
  EXPECT_EQ(mistral(R"(Wait.[TOOL_CALLS]f[ARGS]{"a": 1}[TOOL_CALLS]g[CALL_ID]abcdefghi[ARGS]{})"),
            "content:Wait.|call f:{\"a\": 1}|call g:{}");
  const auto parts = joined_parts({R"([TOOL_CALLS]f{}[TOOL_CALLS]g[CALL_ID]abcdefghi[ARGS]{})"},
                                  options(ToolFormat::mistral_args));
  ASSERT_EQ(parts.size(), 4U);
  EXPECT_EQ(parts[0].id.size(), 9U);  // its template refuses other ids
  EXPECT_EQ(parts[2].id, "abcdefghi");
}

TEST(ReplySplitter, KimiKeepsItsIds) {
  const auto parts = split_everywhere(
      "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:3"
      "<|tool_call_argument_begin|>{\"city\": \"Brno\"}<|tool_call_end|><|tool_call_begin|>f"
      "<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>",
      options(ToolFormat::kimi_k2));
  EXPECT_EQ(written(parts), "call get_weather:{\"city\": \"Brno\"}|call f:{}");
  EXPECT_EQ(parts[0].id, "functions.get_weather:3");
}

// Both generations write the same marks; which one it was shows in the text.
TEST(ReplySplitter, DeepseekCallsInBothForms) {
  EXPECT_EQ(split(ToolFormat::deepseek_v3_1,
                  "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\": 1}"
                  "<｜tool▁call▁end｜><｜tool▁call▁begin｜>g<｜tool▁sep｜>{}<｜tool▁call▁end｜>"
                  "<｜tool▁calls▁end｜>"),
            "call f:{\"a\": 1}|call g:{}");
  EXPECT_EQ(
      split(ToolFormat::deepseek_r1,
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n"
            "{\"a\": 1}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n"
            "```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"),
      "call f:{\"a\": 1}|call g:{}");
}

// Plain text becomes the type that the schema names, and nothing else does.
TEST(ReplySplitter, TaggedValuesFollowTheSchema) {
  EXPECT_EQ(
      split(ToolFormat::qwen3_coder,
            "Ok\n<tool_call>\n<function=get_weather>\n<parameter=city>\n5\n\n</parameter>\n"
            "<parameter=days>\n3\n</parameter>\n<parameter=exact>\nTrue\n</parameter>\n"
            "<parameter=filter>\n{\"a\": [1]}\n</parameter>\n<parameter=zip>\nNone\n"
            "</parameter>\n<parameter=other>\nsome text\n</parameter>\n</function>\n</tool_call>"),
      "content:Ok|call get_weather:{\"city\": \"5\\n\", \"days\": 3, \"exact\": true, "
      "\"filter\": {\"a\": [1]}, \"zip\": null, \"other\": \"some text\"}");
  EXPECT_EQ(split(ToolFormat::glm,
                  "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>\"B\"</arg_value>\n"
                  "<arg_key>days</arg_key>\n<arg_value>many</arg_value>\n</tool_call>"),
            "call get_weather:{\"city\": \"\\\"B\\\"\", \"days\": \"many\"}");
  EXPECT_EQ(split(ToolFormat::glm, "<tool_call>f</tool_call><tool_call>g\n</tool_call>"),
            "call f:{}|call g:{}");
}

// Code that agents write into files contains tags, even the closing ones.
TEST(ReplySplitter, ValuesMayContainTheirOwnTags) {
  EXPECT_EQ(split(ToolFormat::qwen3_coder,
                  "<tool_call>\n<function=get_weather>\n<parameter=city>\n<a></parameter> "
                  "<b>\n</parameter>\n</c>\n</parameter>\n</function>\n</tool_call>"),
            "call get_weather:{\"city\": \"<a></parameter> <b>\\n</parameter>\\n</c>\"}");
}

TEST(ReplySplitter, QwenCoderMayForgetTags) {
  EXPECT_EQ(split(ToolFormat::qwen3_coder,
                  "<function=get_weather>\n<parameter=city>\nx\n</parameter>\n</function>"),
            "call get_weather:{\"city\": \"x\"}");
  EXPECT_EQ(split(ToolFormat::qwen3_coder,
                  "<tool_call>\n<function=get_weather>\n<parameter=city>\nx\n</parameter>\n"
                  "</tool_call> so"),
            "call get_weather:{\"city\": \"x\"}|content:so");
}

TEST(ReplySplitter, MinimaxCallsShareABlock) {
  EXPECT_EQ(
      split(ToolFormat::minimax_m2,
            "<think>\nso\n</think>\n\nOk\n<minimax:tool_call>\n<invoke name=\"get_weather\">\n"
            "<parameter name=\"city\">a\nb</parameter>\n<parameter name=\"days\">2</parameter>\n"
            "</invoke>\n<invoke name=\"f\">\n</invoke>\n</minimax:tool_call>",
            true),
      "reasoning:so|content:Ok|call get_weather:{\"city\": \"a\\nb\", \"days\": 2}|call f:{}");
}

TEST(ReplySplitter, HarmonyChannels) {
  const auto harmony = [](std::string_view text) { return split(ToolFormat::harmony, text); };
  EXPECT_EQ(harmony("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final"
                    "<|message|>Hi.<|return|>"),
            "reasoning:hm|content:Hi.");
  EXPECT_EQ(
      harmony("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary"
              "<|message|>I look.<|end|><|start|>assistant<|channel|>commentary "
              "to=functions.get_weather <|constrain|>json<|message|>{\"city\":\"Brno\"}<|call|>"),
      "reasoning:hm|content:I look.|call get_weather:{\"city\":\"Brno\"}");
  EXPECT_EQ(harmony(" to=functions.f<|channel|>commentary json<|message|>{}<|call|>"), "call f:{}");
  EXPECT_EQ(harmony("<|channel|>commentary to=functions.f<|message|><|call|>"), "call f:{}");
  // To a tool that is none of the request's: what it says stays reasoning.
  EXPECT_EQ(harmony("<|channel|>analysis to=browser.open code<|message|>{\"id\": 1}<|call|>"),
            "reasoning:{\"id\": 1}");
  // The limit cuts a header: not a word of it is content.
  EXPECT_EQ(harmony("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|chan"),
            "reasoning:hm");
}

// Nothing that a model writes may stop the server's thread: where this takes minutes, something is
// read again and again.
TEST(ReplySplitter, HostileLengthsTakeLinearTime) {
  for (const std::string_view piece :
       {"<tool_call>", "<tool_call>{\"name\": \"", "<tool_call>{\"arguments\": {\"a\": \"", "<",
        "<tool_call>{\"arguments\":[[[[", "[TOOL_CALLS]", "[TOOL_CALLS]a", "  ", "<|channel|>",
        "<|start|>", "<｜tool▁call▁begin｜>", "<tool_call>a<arg_key>", "<function=", "</think>"}) {
    std::string text;
    while (text.size() < 100'000) text += piece;
    for (int format = 0; format <= static_cast<int>(ToolFormat::harmony); ++format) {
      EXPECT_FALSE(joined_parts({text}, options(static_cast<ToolFormat>(format), true)).empty());
    }
  }
}

}  // namespace
}  // namespace drystone
