#include "serve/api/openai/openai_frame.h"

namespace drystone {
namespace json = boost::json;

std::string_view finish_name(AnswerEnd end) {
  switch (end) {
    case AnswerEnd::length:
      return "length";
    case AnswerEnd::tool_calls:
      return "tool_calls";
    case AnswerEnd::stop:
      break;
  }
  return "stop";
}

json::value stop_reason(const ChoiceAnswer& answer) {
  const GenerateResult& result = answer.result;
  if (!result.stop.empty()) return json::value(result.stop);
  return result.stop_token ? json::value(*result.stop_token) : json::value(nullptr);
}

json::array tool_calls_json(std::span<const ToolCall> calls) {
  json::array out;
  for (const ToolCall& call : calls)
    out.push_back({{"id", call.id},
                   {"type", "function"},
                   {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  return out;
}

json::object OpenAiFrame::frame(std::string_view object) const {
  return {{"id", info_.id},
          {"object", object},
          {"created", info_.created_unix_s},
          {"model", info_.model},
          {"system_fingerprint", "drystone"}};
}

json::object OpenAiFrame::usage(std::span<const ChoiceAnswer> choices) const {
  const AnswerUsage sum = sum_usage(choices, info_.choices_per_prompt);
  return {{"prompt_tokens", sum.prompt_tokens},
          {"completion_tokens", sum.completion_tokens},
          {"total_tokens", sum.prompt_tokens + sum.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", sum.cached_tokens}}},
          {"completion_tokens_details", {{"reasoning_tokens", sum.reasoning_tokens}}}};
}

// The head is the same for each of thousands of chunks.
std::string OpenAiFrame::chunk_of(std::string_view choice) {
  if (chunk_head_.empty()) {
    chunk_head_ = "data: " + json::serialize(frame(chunk_object()));
    chunk_head_.pop_back();  // }
    chunk_head_ += R"(,"choices":[)";
  }
  std::string out;
  out.reserve(chunk_head_.size() + choice.size() + 20);
  out += chunk_head_;
  out += choice;
  out += info_.include_usage ? "],\"usage\":null}\n\n" : "]}\n\n";
  return out;
}

std::string OpenAiFrame::chunk_of(const json::object& choice) {
  return chunk_of(json::serialize(choice));
}

std::string OpenAiFrame::whole(std::span<const ChoiceAnswer> choices) {
  json::array written;
  for (std::size_t i = 0; i < choices.size(); ++i) written.push_back(whole_choice(i, choices[i]));
  json::object body = frame(whole_object());
  body["choices"] = std::move(written);
  body["usage"] = usage(choices);
  return json::serialize(body);
}

std::string OpenAiFrame::end(std::span<const ChoiceAnswer> choices) {
  std::string out;
  if (info_.include_usage) {
    json::object body = frame(chunk_object());
    body["choices"] = json::array{};
    body["usage"] = usage(choices);
    out = sse_data(json::serialize(body));
  }
  return out + std::string(kSseDone);
}

std::string OpenAiFrame::error(const ApiError& error) {
  return sse_data(to_json(error)) + std::string(kSseDone);
}

}  // namespace drystone
