#pragma once

#include <atomic>
#include <memory>

#include "model/tokenizer/bpe_merges.h"
#include "model/tokenizer/pre_tokenizer.h"
#include "model/tokenizer/vocabulary_tokenizer.h"

namespace drystone {

// GPT-2's BPE and all that came after it: text is cut into pieces (PreTokenizer), the bytes of a
// piece are merged. In the file each byte of a token is written as a printable character.
class ByteLevelBpe : public VocabularyTokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> load(const Metadata& metadata);

  std::string_view family() const override { return family_; }

 protected:
  void encode_text(std::string_view text, bool first, std::vector<TokenId>& ids) const override;
  std::string text_bytes(TokenId id) const override;

 private:
  // What is known about a token as a whole piece: whether merging its bytes gives this token alone.
  enum class Whole : std::uint8_t { unknown, yes, no };
  struct Scratch;

  ByteLevelBpe(Vocabulary vocabulary, PreTokenizer pre_tokenizer, BpeMerges merges,
               std::string_view name);
  void index_pieces();
  void encode_piece(std::string_view piece, Scratch& scratch, std::vector<TokenId>& ids) const;
  void merge_piece(std::string_view piece, Scratch& scratch) const;
  void append_symbols(std::string_view piece, const std::vector<BpeSymbol>& symbols,
                      std::vector<TokenId>& ids) const;

  const PreTokenizer pre_tokenizer_;
  const BpeMerges merges_;
  const std::string family_;
  StringArena bytes_;        // of each token
  StringIndex piece_index_;  // from bytes to the token
  std::uint32_t byte_symbols_[256];
  std::optional<TokenId> byte_tokens_[256];  // for bytes that no merge result covers
  const std::unique_ptr<std::atomic<Whole>[]> whole_;
};

}  // namespace drystone
