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

json::array tool_calls_json(std::span<const ToolCall> calls) {
  json::array out;
  for (const ToolCall& call : calls)
    out.push_back({{"id", call.id},
                   {"type", "function"},
                   {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  return out;
}

json::object OpenAiFrame::frame(std::string_view object, json::array choices) const {
  return {{"id", info_.id},
          {"object", object},
          {"created", info_.created_unix_s},
          {"model", info_.model},
          {"system_fingerprint", "drystone"},
          {"choices", std::move(choices)}};
}

json::object OpenAiFrame::usage(std::span<const ChoiceAnswer> choices) const {
  const AnswerUsage sum = sum_usage(choices, info_.choices_per_prompt);
  return {{"prompt_tokens", sum.prompt_tokens},
          {"completion_tokens", sum.completion_tokens},
          {"total_tokens", sum.prompt_tokens + sum.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", sum.cached_tokens}}}};
}

std::string OpenAiFrame::chunk_of(json::object choice) const {
  json::object body = frame(chunk_object(), json::array{std::move(choice)});
  if (info_.include_usage) body["usage"] = nullptr;
  return sse_data(json::serialize(body));
}

std::string OpenAiFrame::whole(std::span<const ChoiceAnswer> choices) {
  json::array written;
  for (std::size_t i = 0; i < choices.size(); ++i) written.push_back(whole_choice(i, choices[i]));
  json::object body = frame(whole_object(), std::move(written));
  body["usage"] = usage(choices);
  return json::serialize(body);
}

std::string OpenAiFrame::end(std::span<const ChoiceAnswer> choices) {
  std::string out;
  if (info_.include_usage) {
    json::object body = frame(chunk_object(), json::array{});
    body["usage"] = usage(choices);
    out = sse_data(json::serialize(body));
  }
  return out + std::string(kSseDone);
}

std::string OpenAiFrame::error(const ApiError& error) {
  return sse_data(to_json(error)) + std::string(kSseDone);
}

}  // namespace drystone
