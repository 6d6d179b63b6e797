#include <fmt/format.h>

#include "serve/api/openai/openai_frame.h"

namespace drystone {
namespace json = boost::json;

namespace {

class CompletionWriter final : public OpenAiFrame {
 public:
  explicit CompletionWriter(OpenAiAnswerInfo info) : OpenAiFrame(std::move(info)) {
    offsets_.resize(info_.choices);
  }

  std::string begin() override {
    std::string out;
    for (std::size_t i = 0; i < info_.choices && !info_.echo.empty(); ++i)
      out += chunk_of(choice(i, echo(i), {}));
    return out;
  }

  std::string parts(std::size_t index, const ChoiceAnswer&, std::span<const ReplyPart> parts,
                    std::span<const Sampled> tokens) override {
    std::string text;
    for (const ReplyPart& part : parts) text += part.text;
    if (!info_.logprobs)  // written without a tree of JSON
      return text.empty() ? std::string() : chunk_of(text_choice(index, text));
    if (text.empty() && tokens.empty()) return {};
    return chunk_of(choice(index, text, tokens));
  }

  std::string end_choice(std::size_t index, const ChoiceAnswer& answer) override {
    json::object last = choice(index, "", {});
    last["finish_reason"] = finish_name(answer.end());
    last["stop_reason"] = stop_reason(answer);
    return chunk_of(last);
  }

 private:
  std::string_view whole_object() const override { return "text_completion"; }
  std::string_view chunk_object() const override { return "text_completion"; }

  json::object whole_choice(std::size_t index, const ChoiceAnswer& answer) override {
    json::object out = choice(index, echo(index) + answer.content, answer.tokens);
    out["finish_reason"] = finish_name(answer.end());
    out["stop_reason"] = stop_reason(answer);
    return out;
  }

  static std::string text_choice(std::size_t index, std::string_view text) {
    return fmt::format(R"({{"index":{},"text":{},"logprobs":null,"finish_reason":null}})", index,
                       json::serialize(json::string_view(text)));
  }

  std::string echo(std::size_t index) const {
    return info_.echo.empty() ? "" : info_.echo[index / info_.choices_per_prompt];
  }

  json::object choice(std::size_t index, std::string_view text, std::span<const Sampled> tokens) {
    json::value logprobs = nullptr;
    if (info_.logprobs) logprobs = completion_logprobs(tokens, info_.piece, offsets_[index]);
    return {{"index", index},
            {"text", text},
            {"logprobs", std::move(logprobs)},
            {"finish_reason", nullptr}};
  }

  std::vector<std::size_t> offsets_;  // of each choice: characters of the text so far
};

}  // namespace

std::unique_ptr<AnswerWriter> completion_writer(OpenAiAnswerInfo info) {
  return std::make_unique<CompletionWriter>(std::move(info));
}

}  // namespace drystone
