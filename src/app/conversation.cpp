#include "app/conversation.h"

#include "base/clock.h"

namespace drystone {

Conversation::Conversation(const Engine& engine, std::string system)
    : engine_(engine), system_(std::move(system)) {
  if (const ChatTemplate* chat_template = engine.chat_template())
    chat_prompt_.emplace(engine.tokenizer(), *chat_template);
  clear();
}

void Conversation::add(std::string_view role, std::string_view content) {
  messages_.push_back({{"role", role}, {"content", content}});
}

void Conversation::drop_last() {
  CHECK(!messages_.empty());
  messages_.pop_back();
}

void Conversation::clear() {
  messages_.clear();
  if (!system_.empty()) add("system", system_);
}

Result<std::vector<TokenId>> Conversation::prompt() const {
  CHECK(!messages_.empty());
  if (!chat_prompt_)
    return engine_.tokenizer().encode(std::string_view(messages_.back().at("content").as_string()),
                                      {.add_special = true});
  return chat_prompt_->encode({{"messages", messages_}, {"add_generation_prompt", true}},
                              local_time(SystemClock()));
}

}  // namespace drystone
