#pragma once

#include <string>

#include "model/tokenizer/special_tokens.h"
#include "model/tokenizer/tokenizer.h"
#include "model/tokenizer/vocabulary.h"

namespace drystone {

// What all tokenizers share: special tokens, BOS and EOS, and the questions that the vocabulary
// answers.
class VocabularyTokenizer : public Tokenizer {
 public:
  explicit VocabularyTokenizer(Vocabulary vocabulary)
      : vocabulary_(std::move(vocabulary)), special_tokens_(vocabulary_) {}
  VocabularyTokenizer(const VocabularyTokenizer&) =
      delete;  // special_tokens_ refers to vocabulary_
  VocabularyTokenizer& operator=(const VocabularyTokenizer&) = delete;

  std::vector<TokenId> encode(std::string_view text, const EncodeOptions& options) const override;
  std::string piece(TokenId id, bool special) const override;
  std::string decode(std::span<const TokenId> ids, bool special) const override;

  std::uint32_t size() const override { return vocabulary_.size(); }
  std::string_view text(TokenId id) const override { return knows(id) ? vocabulary_.text(id) : ""; }
  TokenKind kind(TokenId id) const override {
    return knows(id) ? vocabulary_.kind(id) : TokenKind::unused;
  }
  std::optional<TokenId> find(std::string_view text) const override {
    return vocabulary_.find(text);
  }
  std::optional<TokenId> bos() const override { return vocabulary_.bos; }
  std::optional<TokenId> eos() const override { return vocabulary_.eos; }
  bool add_bos() const override { return vocabulary_.add_bos; }
  bool add_eos() const override { return vocabulary_.add_eos; }
  bool is_end_of_generation(TokenId id) const override {
    return knows(id) && vocabulary_.is_end_of_generation(id);
  }

 protected:
  // Appends the tokens of text without special tokens. `first`: nothing or a special token stands
  // before it.
  virtual void encode_text(std::string_view text, bool first, std::vector<TokenId>& ids) const = 0;
  // The bytes that a token of kind normal or byte stands for.
  virtual std::string text_bytes(TokenId id) const = 0;

  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  // A model may have more logits than tokens: the ids above stand for nothing.
  bool knows(TokenId id) const {
    return id >= 0 && static_cast<std::uint32_t>(id) < vocabulary_.size();
  }

  const Vocabulary vocabulary_;
  const SpecialTokens special_tokens_;
};

}  // namespace drystone
