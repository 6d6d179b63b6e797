#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/chat_prompt/control_marks.h"

namespace drystone {

// Writes a query and a document as the one prompt that a ranking model was trained on. Its template
// is a text with {query} and {document} in it (tokenizer.chat_template.rerank). As in ChatPrompt,
// control tokens come from the template alone. Immutable; safe from several threads.
class RankPrompt {
 public:
  // Borrows `tokenizer`. Errors: corrupt (the template lacks one of the two words).
  static Result<RankPrompt> create(const Tokenizer& tokenizer, std::string rank_template);

  std::vector<TokenId> encode(std::string_view query, std::string_view document) const;

 private:
  RankPrompt(const Tokenizer& tokenizer, std::string rank_template)
      : marks_(tokenizer), template_(std::move(rank_template)) {}

  ControlMarks marks_;
  std::string template_;
};

}  // namespace drystone
