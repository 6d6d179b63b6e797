#include "serve/api/answer/conversation_builder.h"
#include "serve/api/answer/generation.h"
#include "serve/api/openai/openai_responses.h"

namespace drystone {
namespace json = boost::json;

namespace {

using Kind = ReplyPart::Kind;

// The parts of an answer become output items, one open at a time: reasoning, a message, calls.
class ResponseWriter final : public AnswerWriter {
 public:
  ResponseWriter(ResponseInfo info, ResponseRequest request, ResponseStore& store)
      : info_(std::move(info)), request_(std::move(request)), store_(store) {}

  std::string whole(std::span<const ChoiceAnswer> choices) override {
    const ChoiceAnswer& answer = choices[0];
    if (!answer.reasoning.empty()) take({.kind = Kind::reasoning, .text = answer.reasoning});
    if (!answer.content.empty()) take({.kind = Kind::content, .text = answer.content});
    for (std::uint32_t i = 0; i < answer.calls.size(); ++i) {
      const ToolCall& call = answer.calls[i];
      take({.kind = Kind::tool_call, .call = i, .id = call.id, .name = call.name});
      take({.kind = Kind::tool_arguments, .text = call.arguments, .call = i});
    }
    end_choice(0, answer);
    return json::serialize(finished(answer));
  }

  std::string begin() override {
    std::string out = event("response.created", {{"response", response("in_progress")}});
    return out += event("response.in_progress", {{"response", response("in_progress")}});
  }
  // Codex gives up when no event comes for minutes, and to it comments are none.
  std::string keep_alive(const AnswerProgress&) override {
    return event("response.in_progress", {{"response", response("in_progress")}});
  }
  std::string parts(std::size_t, const ChoiceAnswer&, std::span<const ReplyPart> parts,
                    std::span<const Sampled>) override {
    std::string out;
    for (const ReplyPart& part : parts) out += take(part);
    return out;
  }
  std::string end_choice(std::size_t, const ChoiceAnswer& choice) override {
    return close_item(is_cut(choice) ? Status::incomplete : Status::completed);
  }
  std::string end(std::span<const ChoiceAnswer> choices) override {
    return event(is_cut(choices[0]) ? "response.incomplete" : "response.completed",
                 {{"response", finished(choices[0])}});
  }
  std::string error(const ApiError& error) override {
    json::object body = response("failed");
    body["error"] = {{"code", error.code.empty() ? error.type : error.code},
                     {"message", error.message}};
    return event("response.failed", {{"response", std::move(body)}});
  }

 private:
  struct Item {
    Kind kind;  // content, reasoning or tool_call
    std::string id, text;
    std::string call_id, name;
  };

  enum class Status { in_progress, completed, incomplete };  // of an item

  static bool is_cut(const ChoiceAnswer& answer) { return answer.end() == AnswerEnd::length; }

  static std::string_view name_of(Status status) {
    switch (status) {
      case Status::in_progress:
        return "in_progress";
      case Status::completed:
        return "completed";
      case Status::incomplete:
        break;
    }
    return "incomplete";
  }

  std::string event(std::string_view type, json::object fields) {
    json::object body = {{"type", type}, {"sequence_number", sequence_++}};
    for (auto& field : fields) body[field.key()] = std::move(field.value());
    return "event: " + std::string(type) + "\n" + sse_data(json::serialize(body));
  }

  // The place of the open item, in front of `more`.
  json::object at_item(json::object more) const {
    json::object out = {{"item_id", item_->id}, {"output_index", output_.size()}};
    if (item_->kind != Kind::tool_call) out["content_index"] = 0;
    for (auto& field : more) out[field.key()] = std::move(field.value());
    return out;
  }

  static json::object part_json(const Item& item) {
    if (item.kind == Kind::reasoning) return {{"type", "reasoning_text"}, {"text", item.text}};
    return {{"type", "output_text"},
            {"text", item.text},
            {"annotations", json::array{}},
            {"logprobs", json::array{}}};
  }

  json::object item_json(const Item& item, Status at) const {
    const std::string_view status = name_of(at);
    const bool done = at != Status::in_progress;
    json::array content;
    if (done) content.push_back(part_json(item));
    if (item.kind == Kind::content)
      return {{"id", item.id},
              {"type", "message"},
              {"status", status},
              {"role", "assistant"},
              {"content", std::move(content)}};
    if (item.kind == Kind::reasoning) {
      json::value sealed = nullptr;
      if (done && request_.seal_reasoning) sealed = std::string(kSealPrefix) + item.text;
      return {{"id", item.id},
              {"type", "reasoning"},
              {"status", status},
              {"summary", json::array{}},
              {"content", std::move(content)},
              {"encrypted_content", std::move(sealed)}};
    }
    return {{"id", item.id},           {"type", "function_call"}, {"status", status},
            {"call_id", item.call_id}, {"name", item.name},       {"arguments", item.text}};
  }

  std::string open_item(const ReplyPart& part) {
    std::string out = close_item();
    const std::string_view prefix = part.kind == Kind::content     ? "msg_"
                                    : part.kind == Kind::reasoning ? "rs_"
                                                                   : "fc_";
    item_ = Item{.kind = part.kind, .id = random_id(prefix), .call_id = part.id, .name = part.name};
    out += event("response.output_item.added", {{"output_index", output_.size()},
                                                {"item", item_json(*item_, Status::in_progress)}});
    if (item_->kind != Kind::tool_call)
      out += event("response.content_part.added", at_item({{"part", part_json(*item_)}}));
    return out;
  }

  std::string take(const ReplyPart& part) {
    if (part.kind == Kind::tool_call) return open_item(part);
    const bool fits = item_ && (part.kind == Kind::tool_arguments ? item_->kind == Kind::tool_call
                                                                  : item_->kind == part.kind);
    std::string out = fits ? "" : open_item(part);
    item_->text += part.text;
    json::object delta = at_item({{"delta", part.text}});
    if (part.kind == Kind::content) delta["logprobs"] = json::array{};
    return out + event(delta_type() + ".delta", std::move(delta));
  }

  std::string delta_type() const {
    if (item_->kind == Kind::content) return "response.output_text";
    return item_->kind == Kind::reasoning ? "response.reasoning_text"
                                          : "response.function_call_arguments";
  }

  // The last item of an answer that its length cut is not complete either.
  std::string close_item(Status status = Status::completed) {
    if (!item_) return {};
    const bool call = item_->kind == Kind::tool_call;
    json::object done = at_item({{call ? "arguments" : "text", item_->text}});
    if (call) done["name"] = item_->name;
    if (item_->kind == Kind::content) done["logprobs"] = json::array{};
    std::string out = event(delta_type() + ".done", std::move(done));
    if (!call) out += event("response.content_part.done", at_item({{"part", part_json(*item_)}}));
    const json::object written = item_json(*item_, status);
    out +=
        event("response.output_item.done", {{"output_index", output_.size()}, {"item", written}});
    output_.push_back(written);
    item_.reset();
    return out;
  }

  json::object response(std::string_view status) const {
    json::object out = {{"id", info_.id},
                        {"object", "response"},
                        {"created_at", info_.created_unix_s},
                        {"status", status},
                        {"error", nullptr},
                        {"incomplete_details", nullptr},
                        {"instructions", nullptr},
                        {"max_output_tokens", nullptr},
                        {"model", info_.model},
                        {"output", output_},
                        {"parallel_tool_calls", request_.chat.parallel_tool_calls},
                        {"previous_response_id", nullptr},
                        {"reasoning", {{"effort", nullptr}, {"summary", nullptr}}},
                        {"store", request_.store},
                        {"temperature", request_.chat.options.sampling.temperature},
                        {"text", {{"format", {{"type", "text"}}}}},
                        {"tool_choice", "auto"},
                        {"tools", json::array{}},
                        {"top_p", request_.chat.options.sampling.top_p},
                        {"truncation", "disabled"},
                        {"usage", nullptr},
                        {"user", nullptr},
                        {"metadata", json::object{}}};
    for (const auto& field : request_.echo) out[field.key()] = field.value();
    return out;
  }

  // The whole response; puts it into the store.
  json::object finished(const ChoiceAnswer& answer) {
    const bool cut = is_cut(answer);
    json::object out = response(cut ? "incomplete" : "completed");
    if (cut) out["incomplete_details"] = {{"reason", "max_output_tokens"}};
    const AnswerUsage usage = sum_usage({&answer, 1});
    out["usage"] = {{"input_tokens", usage.prompt_tokens},
                    {"input_tokens_details", {{"cached_tokens", usage.cached_tokens}}},
                    {"output_tokens", usage.completion_tokens},
                    {"output_tokens_details", {{"reasoning_tokens", usage.reasoning_tokens}}},
                    {"total_tokens", usage.prompt_tokens + usage.completion_tokens}};
    if (request_.store) keep(answer, out);
    return out;
  }

  void keep(const ChoiceAnswer& answer, const json::object& out) {
    ConversationBuilder turn;
    if (!answer.reasoning.empty()) turn.add_reasoning(answer.reasoning);
    turn.add_assistant_text(answer.content);
    for (const ToolCall& call : answer.calls) {
      json::value arguments = arguments_value(call.arguments);
      // One that is cut off cannot be answered, and templates take none of its kind.
      if (arguments.is_object()) turn.add_call(call.id, call.name, std::move(arguments));
    }
    json::array history = request_.history;
    for (json::value& message : turn.take()) history.push_back(std::move(message));
    store_.put(info_.id, {.response = out, .history = std::move(history)});
  }

  ResponseInfo info_;
  ResponseRequest request_;
  ResponseStore& store_;
  std::optional<Item> item_;
  json::array output_;  // closed items
  std::uint64_t sequence_ = 0;
};

}  // namespace

std::unique_ptr<AnswerWriter> response_writer(ResponseInfo info, ResponseRequest request,
                                              ResponseStore& store) {
  return std::make_unique<ResponseWriter>(std::move(info), std::move(request), store);
}

}  // namespace drystone
