#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "engine/stop_matcher.h"
#include "serve/http/serial_jobs.h"
#include "serve/http/served_model.h"

namespace drystone {

// A model for tests: token ids are bytes, and what it answers is known. It answers "ok:" and the
// last message (or the prompt), a token per byte, at most tokens_max of them. With hold() it stops
// before each token until release(). Its vector of a text is [bytes, first byte, last byte], with
// Pooling::mean [bytes, mean byte, 0].
class ScriptedModel : public ServedModel {
 public:
  // What happens to it, for tests; outlives the model.
  struct Script {
    std::mutex mutex;
    std::condition_variable changed;
    bool held = false;
    int allowed = 0;                   // tokens that may pass while held
    std::vector<std::string> started;  // prompts, in the order in which they ran
    int cancelled = 0;
    GenerateRequest last;
    ChatRequest last_chat;
    std::string answer;  // when set: what it answers to everything
    ReplyFormat format;
    // When set: called with the last message of a chat before its prompt is made.
    std::function<void(const std::string&)> preparing;
    bool ranks = false;  // made for ranking instead of writing: how much the last byte says

    void hold(bool value) {
      const std::lock_guard lock(mutex);
      held = value;
      changed.notify_all();
    }
    template <typename Condition>
    bool wait_for(Condition condition) {
      std::unique_lock lock(mutex);
      return changed.wait_for(lock, std::chrono::seconds(10), [&] { return condition(*this); });
    }
  };

  static constexpr std::uint32_t kContext = 1000;
  static constexpr std::uint32_t kHeldMax = 950;  // tokens that its cache has room for

  explicit ScriptedModel(Script& script, std::size_t queue_max = 64)
      : script_(script),
        jobs_(queue_max, kHeldMax,
              [this](const auto& request, const auto& sink, std::stop_token stop) {
                return generate(request, sink, std::move(stop));
              }) {}

  Result<std::vector<TokenId>> chat_prompt(const ChatRequest& request) const override {
    {
      const std::lock_guard lock(script_.mutex);
      script_.last_chat = request;
    }
    const std::string text(request.messages.back().at("content").as_string());
    script_.changed.notify_all();
    if (script_.preparing) script_.preparing(text);
    if (text == "raise") return Error(Errc::invalid_argument, "the template refuses this");
    return text_prompt(text);
  }
  std::vector<TokenId> text_prompt(std::string_view text) const override {
    std::vector<TokenId> ids;
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }
  ReplyFormat reply_format() const override { return script_.format; }
  std::string piece(TokenId id) const override { return std::string(1, static_cast<char>(id)); }
  bool writes() const override { return !script_.ranks; }
  Result<Pooling> pooling() const override {
    if (script_.ranks) return Error(Errc::unsupported, "This model ranks.");
    return Pooling::last;
  }
  std::uint32_t width() const override { return 3; }
  Result<std::vector<TokenId>> rank_prompt(std::string_view query,
                                           std::string_view document) const override {
    if (!script_.ranks) return ServedModel::rank_prompt(query, document);
    return text_prompt(std::string(query) + "|" + std::string(document));
  }
  float relevance(std::span<const float> hidden) const override { return hidden[2] / 256; }
  std::uint32_t context() const override { return kContext; }
  std::uint32_t vocab() const override { return 256; }

  JobQueue& jobs() override { return jobs_; }

 private:
  Result<GenerateResult> generate(const GenerateRequest& request,
                                  const std::function<void(const Delta&)>& sink,
                                  std::stop_token stop) {
    std::string prompt;
    for (const TokenId id : request.prompt) prompt += static_cast<char>(id);
    {
      const std::lock_guard lock(script_.mutex);
      script_.started.push_back(prompt);
      script_.last = request;
      script_.changed.notify_all();
    }
    if (prompt == "fail") return Error(Errc::io, "the device is on fire");
    GenerateResult result{.prompt_tokens = static_cast<std::uint32_t>(prompt.size())};
    if (request.pooling) {
      if (!may_go_on(stop)) return GenerateResult{.finish = FinishReason::cancelled};
      result.hidden = hidden(request);
      return result;
    }
    const std::string answer =
        !script_.answer.empty()
            ? script_.answer
            : "ok:" + (prompt == "endless" ? std::string(100'000, '.') : prompt);
    Delta delta;
    StopMatcher stops(request.stop);
    for (const char c : answer) {
      if (!may_go_on(stop)) {
        result.finish = FinishReason::cancelled;
        return result;
      }
      if (request.tokens_max > 0 && result.completion_tokens == request.tokens_max) {
        result.finish = FinishReason::length;
        break;
      }
      ++result.completion_tokens;
      delta.text += stops.push({&c, 1});
      result.stop = stops.stop();
      Sampled token{.id = static_cast<unsigned char>(c), .logprob = -0.5f};
      for (std::uint32_t i = 0; i < request.top_logprobs.value_or(0); ++i)
        token.top.push_back({.id = static_cast<TokenId>(token.id + static_cast<TokenId>(i)) % 256,
                             .logprob = -0.5f - static_cast<float>(i)});
      delta.tokens.push_back(token);
      if (stops.matched()) break;
      if (is_utf8_boundary(delta.text)) sink(std::exchange(delta, {}));
    }
    delta.text += stops.flush();
    if (is_utf8_boundary(delta.text)) sink(delta);
    return result;
  }

  static std::vector<float> hidden(const GenerateRequest& request) {
    const auto& ids = request.prompt;
    const auto size = static_cast<float>(ids.size());
    float sum = 0;
    for (const TokenId id : ids) sum += static_cast<float>(id);
    if (request.pooling == Pooling::mean) return {size, sum / size, 0};
    return {size, static_cast<float>(ids.front()), static_cast<float>(ids.back())};
  }

  // Waits while held; false when cancelled.
  bool may_go_on(const std::stop_token& stop) {
    std::unique_lock lock(script_.mutex);
    const std::stop_callback wake(stop, [&] { script_.changed.notify_all(); });
    while (script_.held && script_.allowed == 0 && !stop.stop_requested())
      script_.changed.wait_for(lock, std::chrono::milliseconds(5));
    if (script_.held && script_.allowed > 0) --script_.allowed;
    if (!stop.stop_requested()) return true;
    ++script_.cancelled;
    script_.changed.notify_all();
    return false;
  }
  static bool is_utf8_boundary(const std::string& text) {
    std::size_t tail = 0;  // continuation bytes at the end
    while (tail < text.size() &&
           (static_cast<unsigned char>(text[text.size() - 1 - tail]) & 0xC0) == 0x80)
      ++tail;
    if (tail == text.size()) return false;
    const auto lead = static_cast<unsigned char>(text[text.size() - 1 - tail]);
    return tail == (lead >= 0xF0 ? 3u : lead >= 0xE0 ? 2u : lead >= 0xC0 ? 1u : 0u);
  }

  Script& script_;
  SerialJobs jobs_;
};

}  // namespace drystone
