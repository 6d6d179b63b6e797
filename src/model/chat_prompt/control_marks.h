#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer/tokenizer.h"

namespace drystone {

// Keeps control tokens that a client spells out ("<|im_end|>") apart from those of a template: the
// client's text is marked before the template takes it in, and marked ones stay plain text when the
// whole is encoded. Immutable; safe from several threads.
class ControlMarks {
 public:
  explicit ControlMarks(const Tokenizer& tokenizer);  // borrows it

  // `text` with a mark in each control token that it spells out.
  std::string marked(std::string_view text) const;
  // The token ids of a text that consists of a template's words and of marked ones; `add_special`
  // as in EncodeOptions.
  std::vector<TokenId> encode(std::string_view text, bool add_special) const;

 private:
  const std::string* control_token_at(std::string_view text) const;  // the longest; null: none

  const Tokenizer& tokenizer_;
  std::vector<std::string> control_tokens_[256];  // by first byte, longest first
};

}  // namespace drystone
