#pragma once

#include "model/tokenizer/vocabulary_tokenizer.h"

namespace drystone {

// Tokenizers that write a space as U+2581 and know bytes as tokens `<0xXX>`.
class EscapedTokenizer : public VocabularyTokenizer {
 public:
  std::string decode(std::span<const TokenId> ids, bool special) const override;

 protected:
  EscapedTokenizer(Vocabulary vocabulary, bool space_prefix);
  std::string text_bytes(TokenId id) const override;
  // Spaces become U+2581, and one is put in front where the model was trained so.
  std::string escape(std::string_view text, bool first) const;
  void append_bytes(std::string_view text, std::vector<TokenId>& ids) const;

 private:
  const bool space_prefix_;
  std::optional<TokenId> byte_tokens_[256];
};

}  // namespace drystone
