#pragma once

#include <boost/json.hpp>
#include <ctime>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/chat_prompt/control_marks.h"
#include "model/chat_template/chat_template.h"
#include "model/tokenizer/tokenizer.h"

namespace drystone {

// Writes conversations as a model's chat template says, as token ids. Control tokens come from the
// template alone: where a message spells one out ("<|im_end|>"), it stays plain text, so that a
// document that somebody pastes cannot speak as the system. Immutable; safe from several threads.
class ChatPrompt {
 public:
  ChatPrompt(const Tokenizer& tokenizer, const ChatTemplate& chat_template)  // borrows both
      : tokenizer_(tokenizer), chat_template_(chat_template), marks_(tokenizer) {}

  // `variables`: what the template reads (messages, tools, ...); bos_token and eos_token are added.
  // Errors: those of ChatTemplate::render.
  Result<std::vector<TokenId>> encode(boost::json::object variables, std::tm now) const;

 private:
  // Marks the strings of `value` and the names of its fields: those of tools and their arguments
  // are the client's too. Names that templates look up spell out no control token.
  void mark(boost::json::value& value) const;

  const Tokenizer& tokenizer_;
  const ChatTemplate& chat_template_;
  const ControlMarks marks_;
};

}  // namespace drystone
