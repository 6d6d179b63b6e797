#include "serve/api/anthropic/anthropic_writer.h"

#include <boost/json.hpp>
#include <optional>

#include "serve/api/answer/conversation_builder.h"
#include "serve/api/anthropic/anthropic_error.h"

namespace drystone {
namespace json = boost::json;

namespace {

using Kind = ReplyPart::Kind;

// Clients hand thinking back only with a signature. Ours needs none, so that it says nothing.
constexpr std::string_view kSignature = "drystone";

// `stop_reason` and `stop_sequence`.
void add_stop(json::object& out, const ChoiceAnswer& answer) {
  const std::string& stop = answer.result.stop;
  out["stop_sequence"] = stop.empty() ? json::value(nullptr) : json::value(stop);
  if (answer.end() == AnswerEnd::length)
    out["stop_reason"] = "max_tokens";
  else if (!stop.empty())
    out["stop_reason"] = "stop_sequence";
  else
    out["stop_reason"] = answer.end() == AnswerEnd::tool_calls ? "tool_use" : "end_turn";
}

std::string event(std::string_view type, json::object fields) {
  json::object body = {{"type", type}};
  for (auto& field : fields) body[field.key()] = std::move(field.value());
  return "event: " + std::string(type) + "\n" + sse_data(json::serialize(body));
}

// What came from the cache is not counted among the input here.
json::object usage_json(const ChoiceAnswer& answer) {
  const AnswerUsage usage = sum_usage({&answer, 1});
  return {{"input_tokens", usage.prompt_tokens - usage.cached_tokens},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", usage.cached_tokens},
          {"output_tokens", usage.completion_tokens},
          {"output_tokens_details", {{"thinking_tokens", usage.reasoning_tokens}}}};
}

class AnthropicWriter final : public AnswerWriter {
 public:
  explicit AnthropicWriter(AnthropicAnswerInfo info) : info_(std::move(info)) {}

  std::string whole(std::span<const ChoiceAnswer> choices) override {
    const ChoiceAnswer& answer = choices[0];
    json::array content;
    if (!answer.reasoning.empty())
      content.push_back(
          {{"type", "thinking"}, {"thinking", answer.reasoning}, {"signature", kSignature}});
    if (!answer.content.empty()) content.push_back({{"type", "text"}, {"text", answer.content}});
    for (const ToolCall& call : answer.calls) {
      json::value input = arguments_value(call.arguments);
      if (!input.is_object()) input = json::object{};  // cut off: stop_reason says so
      content.push_back({{"type", "tool_use"},
                         {"id", call.id},
                         {"name", call.name},
                         {"input", std::move(input)}});
    }
    json::object body = message(std::move(content));
    add_stop(body, answer);
    body["usage"] = usage_json(answer);
    return json::serialize(body);
  }

  std::string begin() override {
    json::object body = message({});
    body["usage"] = {{"input_tokens", info_.prompt_tokens},
                     {"cache_creation_input_tokens", 0},
                     {"cache_read_input_tokens", 0},
                     {"output_tokens", 0}};
    return event("message_start", {{"message", std::move(body)}});
  }

  std::string parts(std::size_t, const ChoiceAnswer&, std::span<const ReplyPart> parts,
                    std::span<const Sampled>) override {
    std::string out;
    for (const ReplyPart& part : parts) {
      const Kind kind = part.kind == Kind::tool_arguments ? Kind::tool_call : part.kind;
      if (part.kind == Kind::tool_call || open_ != kind) {
        out += close_block();
        out += open_block(part);
      }
      if (part.kind == Kind::tool_call) continue;
      out += event("content_block_delta", {{"index", index_}, {"delta", delta_of(part)}});
    }
    return out;
  }

  std::string end_choice(std::size_t, const ChoiceAnswer& answer) override {
    json::object delta;
    add_stop(delta, answer);
    return close_block() +
           event("message_delta", {{"delta", std::move(delta)}, {"usage", usage_json(answer)}});
  }
  std::string end(std::span<const ChoiceAnswer>) override { return event("message_stop", {}); }
  std::string error(const ApiError& error) override {
    return "event: error\n" + sse_data(anthropic_error(error));
  }
  std::string keep_alive(const AnswerProgress&) override { return event("ping", {}); }

 private:
  json::object message(json::array content) const {
    return {{"id", info_.id},
            {"type", "message"},
            {"role", "assistant"},
            {"model", info_.model},
            {"content", std::move(content)},
            {"stop_reason", nullptr},
            {"stop_sequence", nullptr}};
  }

  static json::object delta_of(const ReplyPart& part) {
    if (part.kind == Kind::content) return {{"type", "text_delta"}, {"text", part.text}};
    if (part.kind == Kind::reasoning) return {{"type", "thinking_delta"}, {"thinking", part.text}};
    return {{"type", "input_json_delta"}, {"partial_json", part.text}};
  }

  std::string open_block(const ReplyPart& part) {
    open_ = part.kind == Kind::tool_arguments ? Kind::tool_call : part.kind;
    json::object block;
    if (open_ == Kind::content)
      block = {{"type", "text"}, {"text", ""}};
    else if (open_ == Kind::reasoning)
      block = {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}};
    else
      block = {
          {"type", "tool_use"}, {"id", part.id}, {"name", part.name}, {"input", json::object{}}};
    return event("content_block_start", {{"index", index_}, {"content_block", std::move(block)}});
  }

  std::string close_block() {
    if (!open_) return {};
    std::string out;
    if (open_ == Kind::reasoning)
      out = event(
          "content_block_delta",
          {{"index", index_}, {"delta", {{"type", "signature_delta"}, {"signature", kSignature}}}});
    open_.reset();
    return out + event("content_block_stop", {{"index", index_++}});
  }

  AnthropicAnswerInfo info_;
  std::optional<Kind> open_;  // the kind of the open block
  std::uint32_t index_ = 0;   // of the open or next block
};

}  // namespace

std::unique_ptr<AnswerWriter> anthropic_writer(AnthropicAnswerInfo info) {
  return std::make_unique<AnthropicWriter>(std::move(info));
}

}  // namespace drystone
