#include "model/tokenizer/escaped_bpe.h"

#include "model/tokenizer/unicode.h"

namespace drystone {

Result<std::unique_ptr<Tokenizer>> EscapedBpe::load(const Metadata& metadata) {
  Vocabulary vocabulary = TRY(Vocabulary::load(metadata, {.add_bos = true}));
  vocabulary.add_bos =
      vocabulary.bos.has_value();  // some files say no, but the model was trained with it
  BpeMerges merges = TRY(BpeMerges::load(metadata, vocabulary));
  return std::unique_ptr<Tokenizer>(new EscapedBpe(std::move(vocabulary), std::move(merges)));
}

EscapedBpe::EscapedBpe(Vocabulary loaded, BpeMerges merges)
    : EscapedTokenizer(std::move(loaded), /*space_prefix=*/false), merges_(std::move(merges)) {}

void EscapedBpe::encode_text(std::string_view raw, bool first, std::vector<TokenId>& ids) const {
  const std::string text = escape(raw, first);
  std::vector<BpeSymbol> symbols;
  BpeMerges::Scratch scratch;
  for (std::size_t at = 0; at < text.size();) {  // runs of newlines, and what stands between them
    const bool newlines = text[at] == '\n';
    std::size_t end = newlines ? text.find_first_not_of('\n', at) : text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    const std::string_view line = std::string_view(text).substr(at, end - at);
    const auto whole = newlines ? vocabulary().find(line) : std::nullopt;
    if (whole && vocabulary().is_text(*whole)) {
      ids.push_back(*whole);
    } else {
      encode_line(line, symbols, scratch, ids);
    }
    at = end;
  }
}

void EscapedBpe::encode_line(std::string_view line, std::vector<BpeSymbol>& symbols,
                             BpeMerges::Scratch& scratch, std::vector<TokenId>& ids) const {
  CHECK(line.size() < BpeSymbol::kNone, line.size());
  symbols.clear();
  for (std::size_t at = 0; at < line.size();) {
    const auto bytes = char_at(line, at).bytes;
    symbols.push_back({merges_.symbol(vocabulary(), line.substr(at, bytes)), bytes});
    at += bytes;
  }
  merges_.merge(symbols, scratch);
  std::size_t at = 0;
  for (const BpeSymbol& symbol : symbols) {
    if (symbol.id < size()) {
      ids.push_back(static_cast<TokenId>(symbol.id));
    } else {
      append_bytes(line.substr(at, symbol.bytes), ids);
    }
    at += symbol.bytes;
  }
}

}  // namespace drystone
