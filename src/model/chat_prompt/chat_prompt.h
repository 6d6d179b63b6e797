#pragma once

#include <boost/json.hpp>
#include <ctime>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/chat_template/chat_template.h"
#include "model/tokenizer/tokenizer.h"

namespace drystone {

// Writes conversations as a model's chat template says, as token ids. Control tokens come from the
// template alone: where a message spells one out ("<|im_end|>"), it stays plain text, so that a
// document that somebody pastes cannot speak as the system. Immutable; safe from several threads.
class ChatPrompt {
 public:
  ChatPrompt(const Tokenizer& tokenizer, const ChatTemplate& chat_template);  // borrows both

  // `variables`: what the template reads (messages, tools, ...); bos_token and eos_token are added.
  // Errors: those of ChatTemplate::render.
  Result<std::vector<TokenId>> encode(boost::json::object variables, std::tm now) const;

 private:
  // Puts a mark into each control token that is spelled out in a string of `value` or in the name
  // of a field: those of tools and their arguments are the client's too. Names that templates look
  // up spell out none.
  void mark(boost::json::value& value) const;
  std::string marked(std::string_view message) const;
  const std::string* control_token_at(std::string_view text) const;  // the longest; null: none

  const Tokenizer& tokenizer_;
  const ChatTemplate& chat_template_;
  std::vector<std::string> control_tokens_[256];  // by first byte, longest first
};

}  // namespace drystone
