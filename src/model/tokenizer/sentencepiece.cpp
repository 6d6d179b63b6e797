#include "model/tokenizer/sentencepiece.h"

#include <algorithm>

namespace drystone {
namespace {

constexpr std::uint32_t kEnd = ~0u;
constexpr int kNeighbourBits = 20;

std::size_t neighbour_hash(char32_t left, char32_t right) {
  const std::uint64_t both = std::uint64_t{left} << 32 | right;
  return (both * 0x9E3779B97F4A7C15) >> (64 - kNeighbourBits);
}

}  // namespace

struct SentencePiece::Symbol {
  std::uint32_t begin, bytes, previous, next;
  TokenId pair;  // what this and the next one make; -1: nothing
};

struct SentencePiece::Candidate {
  float score;
  std::uint32_t left;
  TokenId pair;
  bool operator<(const Candidate& other) const {
    return score < other.score || (score == other.score && left > other.left);
  }
};

struct SentencePiece::Scratch {
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
};

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
    : EscapedTokenizer(std::move(loaded), space_prefix),
      neighbours_(std::size_t{1} << kNeighbourBits) {
  for (std::uint32_t i = 0; i < size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (!vocabulary().is_text(id)) continue;
    token_bytes_max_ = std::max(token_bytes_max_, text(id).size());
    note_neighbours(text(id));
  }
}

void SentencePiece::note_neighbours(std::string_view token) {
  Char left = char_at(token, 0);
  for (std::size_t at = left.bytes; at < token.size();) {
    const Char right = char_at(token, at);
    neighbours_[neighbour_hash(left.code, right.code)] = true;
    at += right.bytes;
    left = right;
  }
}

bool SentencePiece::are_neighbours(char32_t left, char32_t right) const {
  return neighbours_[neighbour_hash(left, right)];
}

std::optional<TokenId> SentencePiece::text_token(std::string_view text) const {
  const auto id = vocabulary().find(text);
  return id && vocabulary().is_text(*id) ? id : std::nullopt;
}

void SentencePiece::encode_text(std::string_view raw, bool first, std::vector<TokenId>& ids) const {
  const std::string escaped = escape(raw, first);
  const std::string_view text = escaped;
  Scratch scratch;
  std::size_t begin = 0;
  Char left = char_at(text, 0);
  for (std::size_t at = left.bytes; at < text.size();) {
    const Char right = char_at(text, at);
    if (!are_neighbours(left.code, right.code)) {
      encode_piece(text.substr(begin, at - begin), scratch, ids);
      begin = at;
    }
    at += right.bytes;
    left = right;
  }
  encode_piece(text.substr(begin), scratch, ids);
}

void SentencePiece::encode_piece(std::string_view piece, Scratch& scratch,
                                 std::vector<TokenId>& ids) const {
  CHECK(piece.size() < kEnd, piece.size());
  auto& symbols = scratch.symbols;
  symbols.clear();
  for (std::size_t at = 0; at < piece.size();) {
    const auto bytes = char_at(piece, at).bytes;
    const auto i = static_cast<std::uint32_t>(symbols.size());
    symbols.push_back({static_cast<std::uint32_t>(at), bytes, i - 1, i + 1, -1});
    at += bytes;
  }
  symbols.front().previous = kEnd;
  symbols.back().next = kEnd;
  merge_all(piece, scratch);
  for (std::uint32_t i = 0; i != kEnd; i = symbols[i].next) {
    const std::string_view part = piece.substr(symbols[i].begin, symbols[i].bytes);
    if (const auto id = text_token(part)) {
      ids.push_back(*id);
    } else {
      append_bytes(part, ids);
    }
  }
}

// What the symbol `left` and its right neighbour make becomes a candidate.
void SentencePiece::look_up(std::string_view piece, std::uint32_t left, Scratch& scratch) const {
  Symbol& symbol = scratch.symbols[left];
  symbol.pair = -1;
  if (symbol.next == kEnd) return;
  const std::size_t bytes = std::size_t{symbol.bytes} + scratch.symbols[symbol.next].bytes;
  if (bytes > token_bytes_max_) return;
  const auto id = text_token(piece.substr(symbol.begin, bytes));
  if (!id) return;
  symbol.pair = *id;
  scratch.heap.push_back({vocabulary().score(*id), left, *id});
  std::push_heap(scratch.heap.begin(), scratch.heap.end());
}

void SentencePiece::merge_all(std::string_view piece, Scratch& scratch) const {
  auto& [symbols, heap] = scratch;
  heap.clear();
  for (std::uint32_t i = 0; i < symbols.size(); ++i) look_up(piece, i, scratch);
  while (!heap.empty()) {
    const Candidate best = heap.front();
    std::pop_heap(heap.begin(), heap.end());
    heap.pop_back();
    Symbol& left = symbols[best.left];
    if (left.bytes == 0 || left.pair != best.pair) continue;  // merged otherwise meanwhile
    Symbol& right = symbols[left.next];
    left.bytes += right.bytes;
    right.bytes = 0;
    left.next = right.next;
    if (left.next != kEnd) symbols[left.next].previous = best.left;
    look_up(piece, best.left, scratch);
    if (left.previous != kEnd) look_up(piece, left.previous, scratch);
  }
}

}  // namespace drystone
