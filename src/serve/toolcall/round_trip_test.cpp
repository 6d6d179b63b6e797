#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "serve/toolcall/joined_parts.h"
#include "serve/toolcall/template_habits.h"

// Calls as the models' own templates write them must come back as they were: the templates are what
// the models were trained on.
namespace drystone {
namespace {

namespace json = boost::json;

struct Family {
  std::string file;  // of ../shared/data/chat-templates
  std::string architecture;
  ReplyFormat format;      // that must be found
  std::string turn_begin;  // before the assistant's turn
  std::string turn_end;    // behind it; what a model ends its turn with
  bool parallel = true;
  bool shows_content = true;  // beside calls
};

const ReasoningMarks kThink = {"<think>", "</think>"};

const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      {"NousResearch-Hermes-3-Llama-3.1-8B-tool_use",
       "llama",
       {ToolFormat::hermes, {}},
       "<|im_start|>assistant",
       "<|im_end|>",
       true,
       false},
      {"Qwen-Qwen2.5-7B-Instruct",
       "qwen2",
       {ToolFormat::hermes, {}},
       "<|im_start|>assistant",
       "<|im_end|>"},
      {"Qwen-Qwen3-0.6B",
       "qwen3",
       {ToolFormat::hermes, kThink},
       "<|im_start|>assistant\n",
       "<|im_end|>"},
      {"Qwen3-Coder",
       "qwen3moe",
       {ToolFormat::qwen3_coder, {}},
       "<|im_start|>assistant\n",
       "<|im_end|>"},
      {"Qwen3.5-4B",
       "qwen35",
       {ToolFormat::qwen3_coder, kThink},
       "<|im_start|>assistant\n",
       "<|im_end|>"},
      {"meta-llama-Llama-3.1-8B-Instruct",
       "llama",
       {ToolFormat::llama3, {}},
       "<|start_header_id|>assistant<|end_header_id|>\n\n",
       "<|eot_id|>",
       false,
       false},
      {"mistralai-Mistral-Nemo-Instruct-2407",
       "llama",
       {ToolFormat::mistral_array, {}},
       "[/INST]",
       "</s>",
       true,
       false},
      {"Mistral-Small-3.2-24B-Instruct-2506",
       "llama",
       {ToolFormat::mistral_args, {}},
       "[/INST]",
       "</s>",
       true,
       false},
      {"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
       "qwen2",
       {ToolFormat::deepseek_r1, kThink},
       "<｜Assistant｜>",
       "<｜end▁of▁sentence｜>",
       true,
       false},
      {"deepseek-ai-DeepSeek-V3.1",
       "deepseek2",
       {ToolFormat::deepseek_v3_1, kThink},
       "<｜Assistant｜><think></think>",
       "<｜end▁of▁sentence｜>"},
      {"moonshotai-Kimi-K2",
       "deepseek2",
       {ToolFormat::kimi_k2, {}},
       "<|im_assistant|>assistant<|im_middle|>",
       "<|im_end|>"},
      {"Kimi-K2-Thinking",
       "deepseek2",
       {ToolFormat::kimi_k2, kThink},
       "<|im_assistant|>assistant<|im_middle|>",
       "<|im_end|>"},
      {"GLM-4.6", "glm4moe", {ToolFormat::glm, kThink}, "<|assistant|>", "<|observation|>"},
      {"GLM-4.7-Flash", "deepseek2", {ToolFormat::glm, kThink}, "<|assistant|>", "<|observation|>"},
      {"openai-gpt-oss-120b",
       "gpt-oss",
       {ToolFormat::harmony, {}},
       "<|start|>assistant",
       "<|start|>functions",
       false,
       false},
  };
  return all;
}

class RoundTrip : public testing::TestWithParam<Family> {
 protected:
  void SetUp() override {
    const auto path = std::filesystem::path(DRYSTONE_SHARED_DIR) / "data/chat-templates" /
                      (GetParam().file + ".jinja");
    std::ifstream file(path);
    if (!file) GTEST_SKIP() << "no template " << path;
    source_.assign(std::istreambuf_iterator<char>(file), {});
    auto parsed = ChatTemplate::parse(source_);
    ASSERT_TRUE(parsed) << parsed.error().message();
    template_.emplace(std::move(*parsed));
    habits_ = learn_habits(*template_);
    format_ = detect_format(source_, GetParam().architecture);
  }

  Result<std::string> render(const json::array& messages, bool prompt) const {
    std::tm now{};
    now.tm_year = 126;
    now.tm_mday = 1;
    const json::array converted = TRY(template_messages(messages, habits_));
    json::object variables = {{"messages", converted},
                              {"tools", tools()},
                              {"add_generation_prompt", prompt},
                              {"bos_token", ""},
                              {"eos_token", "</s>"}};
    return template_->render(variables, now);
  }

  // What a model had to write for `answer` (an assistant's message with calls), and whether the
  // prompt had opened its reasoning.
  std::pair<std::string, bool> transcript(const json::object& answer) const {
    const json::object question = {{"role", "user"}, {"content", "Weather?"}};
    json::array messages = {question, answer};
    for (const json::value& call : answer.at("tool_calls").as_array())
      messages.push_back(
          json::object{{"role", "tool"}, {"tool_call_id", call.at("id")}, {"content", "RESULT"}});
    auto all = render(messages, false);
    EXPECT_TRUE(all) << all.error().message();
    auto prompt = render({question}, true);
    EXPECT_TRUE(prompt) << prompt.error().message();
    if (!all || !prompt) return {};
    const Family& family = GetParam();
    const std::size_t first = prompt->rfind(family.turn_begin);
    const std::size_t begin = all->find(family.turn_begin, std::min(first, all->size()));
    EXPECT_NE(begin, all->npos) << *all;
    if (begin == all->npos) return {};
    std::string turn = all->substr(begin + family.turn_begin.size());
    turn = turn.substr(0, turn.find(family.turn_end));
    const std::string opening = prompt->substr(first + family.turn_begin.size());
    const bool continues = turn.starts_with(opening);
    if (continues) turn.erase(0, opening.size());
    return {turn, continues && prompt_opens_reasoning(format_, *prompt)};
  }

  static const json::array& tools() {
    static const json::array tools = json::parse(R"([
      {"type": "function", "function": {"name": "get_weather", "description": "Looks up.",
        "parameters": {"type": "object", "properties": {
          "city": {"type": "string", "description": "City"}, "note": {"type": "string", "description": "n"},
          "days": {"type": "integer", "description": "n"}, "scale": {"type": "number", "description": "n"},
          "exact": {"type": "boolean", "description": "n"}, "none": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "n"},
          "filter": {"type": "object", "description": "n"}, "list": {"type": "array", "description": "n"}},
        "required": ["city"]}}},
      {"type": "function", "function": {"name": "stop-all", "description": "Stops.",
        "parameters": {"type": "object", "properties": {}}}}])")
                                         .as_array();
    return tools;
  }

  void expect_back(const json::object& answer) const {
    const auto [text, open] = transcript(answer);
    SplitterOptions options{.format = format_, .tools = tools(), .reasoning_open = open};
    const std::vector<ReplyPart> parts = split_everywhere(text, options);
    std::string content, reasoning;
    std::vector<std::pair<std::string, std::string>> calls;
    for (const ReplyPart& part : parts) {
      if (part.kind == ReplyPart::Kind::content) content += part.text;
      if (part.kind == ReplyPart::Kind::reasoning) reasoning += part.text;
      if (part.kind == ReplyPart::Kind::tool_call) calls.push_back({part.name, ""});
      if (part.kind == ReplyPart::Kind::tool_arguments) calls[part.call].second += part.text;
    }
    EXPECT_EQ(content, GetParam().shows_content ? answer.at("content").as_string() : "") << text;
    if (const json::value* thought = answer.if_contains("reasoning_content")) {
      const bool kept = !habits_.reasoning_key.empty();
      EXPECT_EQ(reasoning, kept ? thought->as_string() : "") << text;
    }
    const json::array& expected = answer.at("tool_calls").as_array();
    ASSERT_EQ(calls.size(), expected.size()) << text;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      const json::value& function = expected[i].at("function");
      EXPECT_EQ(calls[i].first, function.at("name").as_string());
      boost::system::error_code failed;
      const json::value arguments = json::parse(calls[i].second, failed);
      EXPECT_FALSE(failed) << calls[i].second;
      EXPECT_EQ(arguments, json::parse(function.at("arguments").as_string())) << text;
    }
  }

  static json::object call(std::string_view id, std::string_view name, std::string_view arguments) {
    return {{"id", id},
            {"type", "function"},
            {"function", json::object{{"name", name}, {"arguments", arguments}}}};
  }
  static json::object answer(std::string_view content, json::array calls) {
    return {{"role", "assistant"}, {"content", content}, {"tool_calls", std::move(calls)}};
  }

  std::string source_;
  std::optional<ChatTemplate> template_;
  TemplateHabits habits_;
  ReplyFormat format_;
};

TEST_P(RoundTrip, TheTemplateShowsItsFormat) {
  EXPECT_EQ(to_string(format_.tools), to_string(GetParam().format.tools));
  EXPECT_EQ(format_.reasoning, GetParam().format.reasoning);
}

TEST_P(RoundTrip, TheProbesFindThatItShowsCalls) {
  EXPECT_TRUE(habits_.shows_calls);
  EXPECT_TRUE(habits_.arguments_as_object);  // as all of these have it
  EXPECT_EQ(habits_.one_call_per_message, !GetParam().parallel);
  EXPECT_EQ(habits_.short_ids, GetParam().file.find("istral") != std::string::npos);
}

TEST_P(RoundTrip, OneCallComesBack) {
  expect_back(answer("", {call("call_abc", "get_weather", R"({"city": "Brno"})")}));
}

TEST_P(RoundTrip, EveryKindOfValueComesBack) {
  expect_back(
      answer("", {call("call_abc", "get_weather", R"({"city": "Brno \"ž\" \\ 東京 😀\nx\ty ",
      "note": "<b>5</b> {\"a\": [1]} </tool_call> & '", "days": -12, "scale": 2.5, "exact": true, "none": null,
      "filter": {"a": {"b": [1, "zwei", false, null]}, "c": "}"}, "list": [[], {}, "x"]})")}));
}

TEST_P(RoundTrip, NoArgumentsComeBack) {
  expect_back(answer("", {call("call_abc", "stop-all", "{}")}));
}

TEST_P(RoundTrip, ContentAndReasoningStayApart) {
  json::object full =
      answer("I look it up.", {call("call_abc", "get_weather", R"({"city": "Brno"})")});
  if (!habits_.reasoning_excludes_content) expect_back(full);
  full["reasoning_content"] = "The user wants\n\nweather <tool_call>.";
  if (habits_.reasoning_excludes_content) full["content"] = "";
  expect_back(full);
}

TEST_P(RoundTrip, ParallelCallsComeBack) {
  if (!GetParam().parallel) GTEST_SKIP() << "this model makes one call at a time";
  expect_back(answer("Both.", {call("call_1", "get_weather", R"({"city": "Brno", "days": 1})"),
                               call("call_2", "stop-all", "{}"),
                               call("call_3", "get_weather", R"({"city": "Zlín"})")}));
}

// Nothing of a conversation may be lost on its way into the prompt.
TEST_P(RoundTrip, EveryCallAndResultReachesThePrompt) {
  json::array messages = {
      json::object{{"role", "user"},
                   {"content", json::parse(R"([{"type": "text", "text": "QUESTION"}])")}},
      answer("", {call("call_1", "get_weather", R"({"city": "FIRST"})"),
                  call("call_2", "get_weather", R"({"city": "SECOND"})")}),
      json::object{{"role", "tool"}, {"tool_call_id", "call_1"}, {"content", "RESULT1"}},
      json::object{{"role", "tool"},
                   {"tool_call_id", "call_2"},
                   {"content", json::parse(R"([{"type": "text", "text": "RESULT2"}])")}}};
  messages[1].as_object()["content"] = nullptr;
  const auto prompt = render(messages, true);
  ASSERT_TRUE(prompt) << prompt.error().message();
  for (const std::string_view word : {"QUESTION", "FIRST", "SECOND", "RESULT1", "RESULT2"})
    EXPECT_NE(prompt->find(word), prompt->npos) << word << " is missing in " << *prompt;
  EXPECT_EQ(prompt->find("None"), prompt->npos) << *prompt;
}

INSTANTIATE_TEST_SUITE_P(Templates, RoundTrip, testing::ValuesIn(families()), [](const auto& test) {
  std::string name = test.param.file;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

}  // namespace
}  // namespace drystone
