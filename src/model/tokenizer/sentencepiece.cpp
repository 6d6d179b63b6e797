#include "model/tokenizer/sentencepiece.h"

#include <algorithm>
#include <queue>

#include "model/tokenizer/unicode.h"

namespace drystone {
namespace {

constexpr std::string_view kEscapedSpace = "\xE2\x96\x81";  // U+2581

}  // namespace

EscapedTokenizer::EscapedTokenizer(Vocabulary loaded, bool space_prefix)
    : VocabularyTokenizer(std::move(loaded)), space_prefix_(space_prefix) {
  for (int byte = 0; byte < 256; ++byte) {
    byte_tokens_[byte] = vocabulary().byte_token(static_cast<unsigned char>(byte));
    if (!byte_tokens_[byte]) byte_tokens_[byte] = vocabulary().unknown;
  }
}

std::string EscapedTokenizer::escape(std::string_view text, bool first) const {
  std::string escaped;
  escaped.reserve(text.size() + text.size() / 2 + 3);
  if (first && space_prefix_) escaped = kEscapedSpace;
  for (const char c : text) {
    if (c == ' ') {
      escaped += kEscapedSpace;
    } else {
      escaped.push_back(c);
    }
  }
  return escaped;
}

std::string EscapedTokenizer::text_bytes(TokenId id) const {
  if (kind(id) == TokenKind::byte) {
    if (const auto byte = vocabulary().byte_of(id)) return std::string(1, *byte);
  }
  std::string result;
  std::string_view rest = text(id);
  for (std::size_t at; (at = rest.find(kEscapedSpace)) != std::string_view::npos;) {
    result.append(rest.substr(0, at)).push_back(' ');
    rest.remove_prefix(at + kEscapedSpace.size());
  }
  return result.append(rest);
}

std::string EscapedTokenizer::decode(std::span<const TokenId> ids, bool special) const {
  std::string result;
  bool first = true;  // the space that encode() put in front is not part of the text
  for (const TokenId id : ids) {
    std::string text = piece(id, special);
    const bool is_text = id >= 0 && static_cast<std::uint32_t>(id) < size() &&
                         (kind(id) == TokenKind::normal || kind(id) == TokenKind::byte);
    if (space_prefix_ && first && is_text && text.starts_with(' ')) text.erase(0, 1);
    first = !is_text;
    result += text;
  }
  return result;
}

void EscapedTokenizer::append_bytes(std::string_view text, std::vector<TokenId>& ids) const {
  for (const char byte : text) {
    if (const auto id = byte_tokens_[static_cast<unsigned char>(byte)]) ids.push_back(*id);
  }
}

Result<std::unique_ptr<Tokenizer>> SentencePiece::load(const Metadata& metadata) {
  Vocabulary vocabulary =
      TRY(Vocabulary::load(metadata, {.bos = 1, .eos = 2, .unknown = 0, .add_bos = true}));
  if (!vocabulary.has_scores()) {
    return Error(
        Errc::corrupt,
        "tokenizer.ggml.scores: missing; the tokenizer model 'llama' needs a score per token");
  }
  const bool space_prefix = vocabulary.add_space_prefix.value_or(true);
  return std::unique_ptr<Tokenizer>(new SentencePiece(std::move(vocabulary), space_prefix));
}

SentencePiece::SentencePiece(Vocabulary loaded, bool space_prefix)
    : EscapedTokenizer(std::move(loaded), space_prefix) {
  for (std::uint32_t i = 0; i < size(); ++i) {
    token_bytes_max_ = std::max(token_bytes_max_, text(static_cast<TokenId>(i)).size());
  }
}

void SentencePiece::encode_text(std::string_view raw, bool first, std::vector<TokenId>& ids) const {
  const std::string text = escape(raw, first);
  CHECK(text.size() < ~0u, text.size());
  constexpr std::uint32_t kEnd = ~0u;
  struct Symbol {
    std::uint32_t begin, bytes, previous, next;
    TokenId pair;  // what this and the next one make, -1: nothing
  };
  struct Candidate {
    float score;
    std::uint32_t left;
    TokenId pair;
    bool operator<(const Candidate& other) const {
      return score < other.score || (score == other.score && left > other.left);
    }
  };
  std::vector<Symbol> symbols;
  symbols.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto bytes = char_at(text, at).bytes;
    const auto i = static_cast<std::uint32_t>(symbols.size());
    symbols.push_back({static_cast<std::uint32_t>(at), bytes, i - 1, i + 1, -1});
    at += bytes;
  }
  symbols.front().previous = kEnd;
  symbols.back().next = kEnd;

  std::priority_queue<Candidate> candidates;
  const auto look_up = [&](std::uint32_t left) {
    Symbol& symbol = symbols[left];
    symbol.pair = -1;
    if (symbol.next == kEnd) return;
    const std::size_t bytes = symbol.bytes + symbols[symbol.next].bytes;
    if (bytes > token_bytes_max_) return;
    const auto id = vocabulary().find(std::string_view(text).substr(symbol.begin, bytes));
    if (!id || !vocabulary().is_text(*id)) return;
    symbol.pair = *id;
    candidates.push({vocabulary().score(*id), left, *id});
  };
  for (std::uint32_t i = 0; i < symbols.size(); ++i) look_up(i);
  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Symbol& left = symbols[best.left];
    if (left.bytes == 0 || left.pair != best.pair) continue;  // merged otherwise meanwhile
    Symbol& right = symbols[left.next];
    left.bytes += right.bytes;
    right.bytes = 0;
    right.pair = -1;
    left.next = right.next;
    if (left.next != kEnd) symbols[left.next].previous = best.left;
    look_up(best.left);
    if (left.previous != kEnd) look_up(left.previous);
  }
  for (std::uint32_t i = 0; i != kEnd; i = symbols[i].next) {
    const std::string_view part = std::string_view(text).substr(symbols[i].begin, symbols[i].bytes);
    const auto id = vocabulary().find(part);
    if (id && vocabulary().is_text(*id)) {
      ids.push_back(*id);
    } else {
      append_bytes(part, ids);
    }
  }
}

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
