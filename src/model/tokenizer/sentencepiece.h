#pragma once

#include <memory>

#include "model/tokenizer/bpe_merges.h"
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

// SentencePiece BPE ("llama"): the adjacent pair whose joined text is the token with the highest
// score is merged first, the leftmost of equals.
class SentencePiece : public EscapedTokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> load(const Metadata& metadata);
  std::string_view family() const override { return "SentencePiece"; }

 protected:
  void encode_text(std::string_view text, bool first, std::vector<TokenId>& ids) const override;

 private:
  SentencePiece(Vocabulary vocabulary, bool space_prefix);
  std::size_t token_bytes_max_ = 0;
};

// Gemma 4: merges as in BPE, on lines of text escaped as in SentencePiece.
class EscapedBpe : public EscapedTokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> load(const Metadata& metadata);
  std::string_view family() const override { return "BPE on escaped text (gemma4)"; }

 protected:
  void encode_text(std::string_view text, bool first, std::vector<TokenId>& ids) const override;

 private:
  EscapedBpe(Vocabulary vocabulary, BpeMerges merges);
  void encode_line(std::string_view line, std::vector<BpeSymbol>& symbols,
                   BpeMerges::Scratch& scratch, std::vector<TokenId>& ids) const;
  const BpeMerges merges_;
};

}  // namespace drystone
