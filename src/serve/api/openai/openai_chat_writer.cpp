#include <fmt/format.h>

#include "serve/api/openai/openai_frame.h"

namespace drystone {
namespace json = boost::json;

namespace {

json::object delta_of(const ReplyPart& part) {
  switch (part.kind) {
    case ReplyPart::Kind::content:
      return {{"content", part.text}};
    case ReplyPart::Kind::reasoning:
      return {{"reasoning_content", part.text}};
    case ReplyPart::Kind::tool_call:
      return {
          {"tool_calls", json::array{{{"index", part.call},
                                      {"id", part.id},
                                      {"type", "function"},
                                      {"function", {{"name", part.name}, {"arguments", ""}}}}}}};
    case ReplyPart::Kind::tool_arguments:
      break;
  }
  return {{"tool_calls",
           json::array{{{"index", part.call}, {"function", {{"arguments", part.text}}}}}}};
}

bool is_text(const ReplyPart& part) {
  return part.kind == ReplyPart::Kind::content || part.kind == ReplyPart::Kind::reasoning;
}

// Nearly every chunk is such a one: written without a tree of JSON.
std::string text_choice(std::size_t index, const ReplyPart& part) {
  return fmt::format(R"({{"index":{},"delta":{{"{}":{}}},"logprobs":null,"finish_reason":null}})",
                     index, part.kind == ReplyPart::Kind::content ? "content" : "reasoning_content",
                     json::serialize(json::string_view(part.text)));
}

class ChatWriter final : public OpenAiFrame {
 public:
  explicit ChatWriter(OpenAiAnswerInfo info) : OpenAiFrame(std::move(info)) {
    held_.resize(info_.choices);
  }

  std::string begin() override {
    std::string out;
    for (std::size_t i = 0; i < info_.choices; ++i)
      out += chunk_of(choice(i, {{"role", "assistant"}, {"content", ""}}));
    return out;
  }

  std::string parts(std::size_t index, const ChoiceAnswer&, std::span<const ReplyPart> parts,
                    std::span<const Sampled> tokens) override {
    hold(index, tokens);
    std::string out;
    for (const ReplyPart& part : parts) {
      if (held_[index].empty() && is_text(part)) {
        out += chunk_of(text_choice(index, part));
        continue;
      }
      json::object written = choice(index, delta_of(part));
      written["logprobs"] = held_logprobs(index);
      out += chunk_of(written);
    }
    return out;
  }

  std::string end_choice(std::size_t index, const ChoiceAnswer& answer) override {
    json::object last = choice(index, {});
    if (!held_[index].empty()) last["logprobs"] = held_logprobs(index);
    last["finish_reason"] = finish_name(answer.end());
    last["stop_reason"] = stop_reason(answer);
    return chunk_of(last);
  }

 private:
  std::string_view whole_object() const override { return "chat.completion"; }
  std::string_view chunk_object() const override { return "chat.completion.chunk"; }

  json::object whole_choice(std::size_t index, const ChoiceAnswer& answer) override {
    json::object message = {
        {"role", "assistant"}, {"content", answer.content}, {"refusal", nullptr}};
    if (!answer.reasoning.empty()) message["reasoning_content"] = answer.reasoning;
    if (!answer.calls.empty()) {
      if (answer.content.empty()) message["content"] = nullptr;
      message["tool_calls"] = tool_calls_json(answer.calls);
    }
    return {{"index", index},
            {"message", std::move(message)},
            {"logprobs",
             info_.logprobs ? chat_logprobs(answer.tokens, info_.piece) : json::value(nullptr)},
            {"finish_reason", finish_name(answer.end())},
            {"stop_reason", stop_reason(answer)}};
  }

  static json::object choice(std::size_t index, json::object delta) {
    return {{"index", index},
            {"delta", std::move(delta)},
            {"logprobs", nullptr},
            {"finish_reason", nullptr}};
  }

  // Tokens whose text is still held back go with the next chunk.
  void hold(std::size_t index, std::span<const Sampled> tokens) {
    if (info_.logprobs) held_[index].insert(held_[index].end(), tokens.begin(), tokens.end());
  }
  json::value held_logprobs(std::size_t index) {
    if (held_[index].empty()) return nullptr;
    return chat_logprobs(std::exchange(held_[index], {}), info_.piece);
  }

  std::vector<std::vector<Sampled>> held_;
};

}  // namespace

std::unique_ptr<AnswerWriter> chat_writer(OpenAiAnswerInfo info) {
  return std::make_unique<ChatWriter>(std::move(info));
}

}  // namespace drystone
