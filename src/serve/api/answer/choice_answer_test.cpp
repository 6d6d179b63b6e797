#include "serve/api/answer/choice_answer.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

// An answer of deltas, each of a text and the number of tokens that made it.
ChoiceAnswer answer_of(const ReplyFormat& format,
                       const std::vector<std::pair<std::string, std::size_t>>& deltas,
                       bool reasoning_open = false) {
  ChoiceAnswer answer(
      {.splitter = SplitterOptions{.format = format, .reasoning_open = reasoning_open}});
  std::uint32_t tokens = 0;
  for (const auto& [text, count] : deltas) {
    answer.push({.text = text, .tokens = std::vector<Sampled>(count)});
    tokens += static_cast<std::uint32_t>(count);
  }
  answer.finish({.completion_tokens = tokens});
  return answer;
}

const ReplyFormat kThink = {.reasoning = {.open = "<think>", .close = "</think>"}};
const ReplyFormat kHarmony = {.tools = ToolFormat::harmony};

// `usage` tells people what thinking costs them: neither the marks nor the answer belong to it.
TEST(ChoiceAnswer, CountsTheTokensOfReasoningAlone) {
  const auto marks_are_tokens = answer_of(
      kThink, {{"<think>", 1}, {"One", 1}, {" two", 1}, {"</think>", 1}, {"So", 1}, {".", 1}});
  EXPECT_EQ(marks_are_tokens.reasoning, "One two");
  EXPECT_EQ(marks_are_tokens.reasoning_tokens, 2u);
  const auto marks_are_text = answer_of(
      kThink, {{"<th", 1}, {"ink>", 1}, {"One", 1}, {"</", 1}, {"think", 1}, {">", 1}, {"So", 1}});
  EXPECT_EQ(marks_are_text.reasoning_tokens, 1u);
  const auto opened_by_the_prompt =
      answer_of(kThink, {{"One", 1}, {"</think>", 1}, {"So", 1}}, /*reasoning_open=*/true);
  EXPECT_EQ(opened_by_the_prompt.reasoning_tokens, 1u);
  EXPECT_EQ(answer_of(kThink, {{"So", 1}, {".", 1}}).reasoning_tokens, 0u);
}

TEST(ChoiceAnswer, CountsReasoningThatIsCutOff) {
  EXPECT_EQ(answer_of(kThink, {{"<think>", 1}, {"One", 1}, {" ", 1}}).reasoning_tokens, 2u);
}

// Guessed tokens, and those that waited for a stop string, come several at once.
TEST(ChoiceAnswer, SharesOutTokensThatCameTogether) {
  const auto answer = answer_of(kThink, {{"<think>", 1}, {"aaaaaa</think>bb", 4}});
  EXPECT_EQ(answer.reasoning, "aaaaaa");
  EXPECT_EQ(answer.content, "bb");
  EXPECT_EQ(answer.reasoning_tokens, 3u);
}

// When a call is forced, a limit must not turn its beginning into something the model says.
TEST(ChoiceAnswer, AForcedCallIsNeverContent) {
  const std::string text =
      "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>";
  for (std::size_t bytes = 0; bytes <= text.size(); ++bytes) {
    ChoiceAnswer answer(
        {.splitter =
             SplitterOptions{
                 .format = {.tools = ToolFormat::hermes},
                 .tools = boost::json::parse(R"([{"function":{"name":"f"}}])").as_array()},
         .calls_only = true});
    answer.push({.text = text.substr(0, bytes)});
    answer.finish({.finish = FinishReason::length});
    EXPECT_EQ(answer.content, "") << bytes;
    EXPECT_EQ(answer.end(), AnswerEnd::length);
    const bool named = bytes >= text.find("f\"") + 2;
    ASSERT_EQ(answer.calls.size(), named ? 1u : 0u) << bytes;
    if (!named) continue;
    const std::size_t from = text.find("{\"a\""), to = text.find("}}") + 1;
    EXPECT_EQ(answer.calls[0].arguments,
              bytes <= from ? "" : text.substr(from, std::min(bytes, to) - from));
  }
}

TEST(ChoiceAnswer, CountsTheAnalysisOfHarmony) {
  const auto answer = answer_of(kHarmony, {{"<|channel|>", 1},
                                           {"analysis", 1},
                                           {"<|message|>", 1},
                                           {"Hm", 1},
                                           {"m", 1},
                                           {"<|end|>", 1},
                                           {"<|start|>", 1},
                                           {"assistant", 1},
                                           {"<|channel|>", 1},
                                           {"final", 1},
                                           {"<|message|>", 1},
                                           {"So", 1}});
  EXPECT_EQ(answer.reasoning, "Hmm");
  EXPECT_EQ(answer.content, "So");
  EXPECT_EQ(answer.reasoning_tokens, 2u);
}

}  // namespace
}  // namespace drystone
