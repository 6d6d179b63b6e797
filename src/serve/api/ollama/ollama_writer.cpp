#include "serve/api/ollama/ollama_writer.h"

#include "serve/api/answer/conversation_builder.h"
#include "serve/api/ollama/ollama_parse.h"

namespace drystone {
namespace json = boost::json;

namespace {

using Kind = ReplyPart::Kind;

std::int64_t nanoseconds(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }

class OllamaWriter final : public AnswerWriter {
 public:
  explicit OllamaWriter(OllamaAnswerInfo info) : info_(std::move(info)) {}

  std::string whole(std::span<const ChoiceAnswer> choices) override {
    if (choices.empty()) return json::serialize(loaded());
    const ChoiceAnswer& answer = choices[0];
    json::object body = line(answer.content, answer.reasoning, calls_json(answer.calls));
    finish(body, answer);
    return json::serialize(body);
  }

  std::string content_type() const override { return "application/x-ndjson"; }

  std::string parts(std::size_t, const ChoiceAnswer& choice, std::span<const ReplyPart> parts,
                    std::span<const Sampled>) override {
    std::string out;
    for (const ReplyPart& part : parts) {
      if (part.kind == Kind::content) out += text_of(line(part.text, "", {}));
      if (part.kind == Kind::reasoning) out += text_of(line("", part.text, {}));
      // Arguments go out whole, when the next call shows that they are.
      if (part.kind == Kind::tool_call) out += calls_before(choice, part.call);
    }
    return out;
  }

  std::string end_choice(std::size_t, const ChoiceAnswer& choice) override {
    json::object last = line("", "", {});
    finish(last, choice);
    return calls_before(choice, choice.calls.size()) + text_of(last);
  }
  std::string end(std::span<const ChoiceAnswer> choices) override {
    return choices.empty() ? text_of(loaded()) : std::string();
  }
  std::string error(const ApiError& error) override { return ollama_error(error) + "\n"; }
  // Lines of JSON have no comments: an empty piece says as little.
  std::string progress(const AnswerProgress&) override { return {}; }
  std::string keep_alive(const AnswerProgress&) override { return text_of(line("", "", {})); }

 private:
  static std::string text_of(const json::object& body) { return json::serialize(body) + "\n"; }

  json::object line(std::string_view text, std::string_view thinking, json::array calls) const {
    json::object out = {{"model", info_.model}, {"created_at", info_.now()}};
    if (info_.chat) {
      json::object message = {{"role", "assistant"}, {"content", text}};
      if (!thinking.empty()) message["thinking"] = thinking;
      if (!calls.empty()) message["tool_calls"] = std::move(calls);
      out["message"] = std::move(message);
    } else {
      out["response"] = text;
      if (!thinking.empty()) out["thinking"] = thinking;
    }
    out["done"] = false;
    return out;
  }

  static json::array calls_json(std::span<const ToolCall> calls) {
    json::array out;
    for (const ToolCall& call : calls) {
      json::value arguments = arguments_value(call.arguments);
      // Cut off, as done_reason says. Arguments are an object here, which half of one is not.
      if (!arguments.is_object()) continue;
      out.push_back({{"id", call.id},
                     {"function", {{"name", call.name}, {"arguments", std::move(arguments)}}}});
    }
    return out;
  }

  std::string calls_before(const ChoiceAnswer& choice, std::size_t end) {
    if (calls_sent_ >= end) return {};
    const std::span<const ToolCall> all(choice.calls);
    const auto written = calls_json(all.subspan(calls_sent_, end - calls_sent_));
    calls_sent_ = end;
    if (written.empty()) return {};
    return text_of(line("", "", written));
  }

  static void finish(json::object& body, const ChoiceAnswer& answer) {
    const AnswerUsage usage = sum_usage({&answer, 1});
    body["done"] = true;
    body["done_reason"] = answer.end() == AnswerEnd::length ? "length" : "stop";
    body["total_duration"] = nanoseconds(usage.queue_s + usage.prefill_s + usage.decode_s);
    body["load_duration"] = 0;
    body["prompt_eval_count"] = usage.prompt_tokens;
    body["prompt_eval_duration"] = nanoseconds(usage.prefill_s);
    body["eval_count"] = usage.completion_tokens;
    body["eval_duration"] = nanoseconds(usage.decode_s);
  }

  // The model is loaded as long as the server runs.
  json::object loaded() const {
    json::object body = line("", "", {});
    body["done"] = true;
    body["done_reason"] = info_.unload ? "unload" : "load";
    return body;
  }

  OllamaAnswerInfo info_;
  std::size_t calls_sent_ = 0;
};

}  // namespace

std::unique_ptr<AnswerWriter> ollama_writer(OllamaAnswerInfo info) {
  return std::make_unique<OllamaWriter>(std::move(info));
}

}  // namespace drystone
