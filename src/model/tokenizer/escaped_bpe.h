#pragma once

#include <memory>

#include "model/tokenizer/bpe_merges.h"
#include "model/tokenizer/escaped_tokenizer.h"

namespace drystone {

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
