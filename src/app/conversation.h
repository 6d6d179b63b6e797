#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "model/chat_prompt/chat_prompt.h"

namespace drystone {

// The messages of a chat so far, and the prompt that asks the model for the next one. Borrows the
// engine.
class Conversation {
 public:
  Conversation(const Engine& engine, std::string system);

  void add(std::string_view role, std::string_view content);  // user, assistant
  void drop_last();                                           // takes the last message back
  void clear();                                               // all but the system message

  // The ids of the whole conversation as the model's chat template writes it. Without a template:
  // of the last message alone, as a text to continue. Special tokens that a message spells out stay
  // plain text. Errors: those of ChatTemplate::render.
  Result<std::vector<TokenId>> prompt() const;

 private:
  const Engine& engine_;
  std::string system_;
  boost::json::array messages_;
  std::optional<ChatPrompt> chat_prompt_;  // empty: the model has no template
};

}  // namespace drystone
