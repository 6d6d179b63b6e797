#include "serve/engine_model.h"

#include <optional>

#include "base/clock.h"
#include "engine/batch_thread.h"
#include "model/chat_prompt/chat_prompt.h"

namespace drystone {

namespace {

class EngineModel final : public ServedModel {
 public:
  EngineModel(Engine& engine, const Clock& clock) : engine_(engine), clock_(clock) {
    if (const ChatTemplate* chat_template = engine.chat_template())
      chat_prompt_.emplace(engine.tokenizer(), *chat_template);
  }

  Result<std::vector<TokenId>> chat_prompt(const ChatRequest& request) const override {
    if (!chat_prompt_)
      return Error(Errc::unsupported,
                   engine_.chat_template_error().empty()
                       ? "This model has no chat template, so it cannot be asked in messages; use "
                         "/v1/completions."
                       : "The chat template of this model cannot be used (" +
                             engine_.chat_template_error() + "); use /v1/completions.");
    boost::json::object variables = request.template_variables;
    variables["messages"] = request.messages;
    if (!request.tools.empty()) variables["tools"] = request.tools;
    variables["add_generation_prompt"] = request.add_generation_prompt;
    return chat_prompt_->encode(std::move(variables), local_time(clock_));
  }

  std::vector<TokenId> text_prompt(std::string_view text) const override {
    return engine_.tokenizer().encode(text, {.parse_special = true, .add_special = true});
  }

  std::string piece(TokenId id) const override { return engine_.tokenizer().piece(id, true); }
  std::uint32_t context() const override { return engine_.context(); }
  std::uint32_t vocab() const override { return engine_.vocab(); }

  JobQueue& jobs() override { return engine_.batcher(); }

 private:
  Engine& engine_;
  const Clock& clock_;
  std::optional<ChatPrompt> chat_prompt_;  // empty: the model has no usable template
  BatchThread thread_{engine_.batcher()};
};

}  // namespace

std::unique_ptr<ServedModel> make_engine_model(Engine& engine, const Clock& clock) {
  return std::make_unique<EngineModel>(engine, clock);
}

}  // namespace drystone
