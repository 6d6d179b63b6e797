#include "serve/api/openai/openai_reply.h"

#include <boost/json.hpp>

#include "serve/api/openai/openai_logprobs.h"

namespace drystone {
namespace json = boost::json;

namespace {

constexpr std::string_view kFingerprint = "drystone";

std::string_view finish_name(FinishReason finish) {
  return finish == FinishReason::length ? "length" : "stop";
}

json::value usage(const GenerateResult& result) {
  return {{"prompt_tokens", result.prompt_tokens},
          {"completion_tokens", result.completion_tokens},
          {"total_tokens", result.prompt_tokens + result.completion_tokens}};
}

// What both dialects share: the frame around `choices`.
class OpenAiReply : public ReplyWriter {
 public:
  explicit OpenAiReply(ReplyInfo info) : info_(std::move(info)) {}

  std::string usage_chunk(const GenerateResult& result) override {
    json::object body = frame(chunk_object(), json::array{});
    body["usage"] = usage(result);
    return json::serialize(body);
  }

 protected:
  virtual std::string_view chunk_object() const = 0;

  json::object frame(std::string_view object, json::array choices) const {
    return {{"id", info_.id},
            {"object", object},
            {"created", info_.created_unix_s},
            {"model", info_.model},
            {"system_fingerprint", kFingerprint},
            {"choices", std::move(choices)}};
  }

  std::string chunk_of(json::object choice) const {
    json::object body = frame(chunk_object(), json::array{std::move(choice)});
    if (info_.include_usage) body["usage"] = nullptr;
    return json::serialize(body);
  }

  std::string whole_of(std::string_view object, json::object choice,
                       const GenerateResult& result) const {
    json::object body = frame(object, json::array{std::move(choice)});
    body["usage"] = usage(result);
    return json::serialize(body);
  }

  ReplyInfo info_;
};

class ChatReply : public OpenAiReply {
 public:
  using OpenAiReply::OpenAiReply;

  std::string whole(std::string_view text, std::span<const Sampled> tokens,
                    const GenerateResult& result) override {
    json::object choice = {
        {"index", 0},
        {"message", {{"role", "assistant"}, {"content", text}, {"refusal", nullptr}}},
        {"logprobs", logprobs(tokens)},
        {"finish_reason", finish_name(result.finish)}};
    return whole_of("chat.completion", std::move(choice), result);
  }

  std::string first_chunk() override {
    return chunk_of(choice({{"role", "assistant"}, {"content", ""}}));
  }

  std::string chunk(const Delta& delta) override {
    json::object out = choice({{"content", delta.text}});
    out["logprobs"] = logprobs(delta.tokens);
    return chunk_of(std::move(out));
  }

  std::string last_chunk(const GenerateResult& result) override {
    json::object out = choice({});
    out["finish_reason"] = finish_name(result.finish);
    return chunk_of(std::move(out));
  }

 private:
  std::string_view chunk_object() const override { return "chat.completion.chunk"; }

  static json::object choice(json::object delta) {
    return {{"index", 0},
            {"delta", std::move(delta)},
            {"logprobs", nullptr},
            {"finish_reason", nullptr}};
  }

  json::value logprobs(std::span<const Sampled> tokens) const {
    return info_.logprobs ? chat_logprobs(tokens, info_.piece) : json::value(nullptr);
  }
};

class CompletionReply : public OpenAiReply {
 public:
  using OpenAiReply::OpenAiReply;

  std::string whole(std::string_view text, std::span<const Sampled> tokens,
                    const GenerateResult& result) override {
    json::object out = choice(info_.echo + std::string(text), tokens);
    out["finish_reason"] = finish_name(result.finish);
    return whole_of("text_completion", std::move(out), result);
  }

  std::string first_chunk() override {
    return info_.echo.empty() ? "" : chunk_of(choice(info_.echo, {}));
  }

  std::string chunk(const Delta& delta) override {
    return chunk_of(choice(delta.text, delta.tokens));
  }

  std::string last_chunk(const GenerateResult& result) override {
    json::object out = choice("", {});
    out["finish_reason"] = finish_name(result.finish);
    return chunk_of(std::move(out));
  }

 private:
  std::string_view chunk_object() const override { return "text_completion"; }

  json::object choice(std::string_view text, std::span<const Sampled> tokens) {
    json::value logprobs = nullptr;
    if (info_.logprobs) logprobs = completion_logprobs(tokens, info_.piece, offset_);
    return {{"index", 0},
            {"text", text},
            {"logprobs", std::move(logprobs)},
            {"finish_reason", nullptr}};
  }

  std::size_t offset_ = 0;  // characters of the text so far
};

}  // namespace

std::unique_ptr<ReplyWriter> chat_reply(ReplyInfo info) {
  return std::make_unique<ChatReply>(std::move(info));
}

std::unique_ptr<ReplyWriter> completion_reply(ReplyInfo info) {
  return std::make_unique<CompletionReply>(std::move(info));
}

}  // namespace drystone
