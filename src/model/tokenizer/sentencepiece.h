#pragma once

#include <memory>

#include "model/tokenizer/escaped_tokenizer.h"
#include "model/tokenizer/unicode.h"

namespace drystone {

// SentencePiece BPE ("llama"): the adjacent pair whose joined text is the token with the highest
// score is merged first, the leftmost of equals.
class SentencePiece : public EscapedTokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> load(const Metadata& metadata);
  std::string_view family() const override { return "SentencePiece"; }

 protected:
  void encode_text(std::string_view text, bool first, std::vector<TokenId>& ids) const override;

 private:
  struct Symbol;
  struct Candidate;
  struct Scratch;

  SentencePiece(Vocabulary vocabulary, bool space_prefix);
  void note_neighbours(std::string_view token);
  bool are_neighbours(char32_t left, char32_t right) const;
  std::optional<TokenId> text_token(std::string_view text) const;
  void encode_piece(std::string_view piece, Scratch& scratch, std::vector<TokenId>& ids) const;
  void look_up(std::string_view piece, std::uint32_t left, Scratch& scratch) const;
  void merge_all(std::string_view piece, Scratch& scratch) const;

  std::size_t token_bytes_max_ = 0;
  // Which characters stand side by side in some token, by a hash of the two. Where two do not, no
  // merge can cross: text is cut there and merged in short pieces, which gives the same tokens as
  // merging it whole.
  std::vector<bool> neighbours_;
};

}  // namespace drystone
