#include "model/tokenizer/byte_level_bpe.h"

#include <fmt/format.h>

#include <array>

namespace drystone {
namespace {

// GPT-2's printable stand-ins: most of Latin-1 for itself, the rest from U+0100 on, in order.
class ByteAlphabet {
 public:
  ByteAlphabet() {
    byte_of_.fill(-1);
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const bool itself =
          (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      const char32_t code = itself ? static_cast<char32_t>(byte) : next++;
      byte_of_[code] = static_cast<std::int16_t>(byte);
      text_[byte] = code < 0x80 ? std::string(1, static_cast<char>(code))
                                : std::string{static_cast<char>(0xC0 | code >> 6),
                                              static_cast<char>(0x80 | (code & 0x3F))};
    }
  }
  const std::string& text(unsigned char byte) const { return text_[byte]; }
  // Appends the bytes that `text` stands for; characters outside the alphabet stay as they are.
  void decode(std::string_view text, std::string& bytes) const {
    for (std::size_t at = 0; at < text.size();) {
      const Char c = char_at(text, at);
      const int byte = c.code < byte_of_.size() ? byte_of_[c.code] : -1;
      if (byte >= 0) {
        bytes.push_back(static_cast<char>(byte));
      } else {
        bytes.append(text.substr(at, c.bytes));
      }
      at += c.bytes;
    }
  }

 private:
  std::array<std::int16_t, 0x144> byte_of_;
  std::array<std::string, 256> text_;
};

const ByteAlphabet& byte_alphabet() {
  static const ByteAlphabet kAlphabet;
  return kAlphabet;
}

}  // namespace

struct ByteLevelBpe::Scratch {
  std::vector<BpeSymbol> symbols;
  BpeMerges::Scratch merge;
};

Result<std::unique_ptr<Tokenizer>> ByteLevelBpe::load(const Metadata& metadata) {
  const std::string name = TRY(metadata.string("tokenizer.ggml.pre")).value_or("default");
  PreTokenizer pre_tokenizer = TRY(make_pre_tokenizer(name));
  const bool glm = name == "glm4" || name == "chatglm-bpe";  // has no BOS unless the file names one
  constexpr TokenId kOldDefault = 11;                        // what converters left out, once
  Vocabulary vocabulary =
      TRY(Vocabulary::load(metadata, {.bos = glm ? std::nullopt : std::optional(kOldDefault),
                                      .eos = kOldDefault,
                                      .add_bos = pre_tokenizer.add_bos}));
  const bool from_ids =
      pre_tokenizer.merges_optional && metadata.find("tokenizer.ggml.merges") == nullptr;
  BpeMerges merges =
      from_ids ? BpeMerges::from_ids(vocabulary) : TRY(BpeMerges::load(metadata, vocabulary));
  return std::unique_ptr<Tokenizer>(
      new ByteLevelBpe(std::move(vocabulary), std::move(pre_tokenizer), std::move(merges), name));
}

ByteLevelBpe::ByteLevelBpe(Vocabulary loaded, PreTokenizer pre_tokenizer, BpeMerges merges,
                           std::string_view name)
    : VocabularyTokenizer(std::move(loaded)),
      pre_tokenizer_(std::move(pre_tokenizer)),
      merges_(std::move(merges)),
      family_(fmt::format("byte-level BPE ({})", name)),
      whole_(new std::atomic<Whole>[vocabulary().size()]()) {
  index_pieces();
  for (int byte = 0; byte < 256; ++byte) {
    const std::string& text = byte_alphabet().text(static_cast<unsigned char>(byte));
    byte_symbols_[byte] = merges_.symbol(vocabulary(), text);
    byte_tokens_[byte] = vocabulary().find(text);
    if (!byte_tokens_[byte]) byte_tokens_[byte] = vocabulary().unknown;
  }
}

void ByteLevelBpe::index_pieces() {
  const Vocabulary& tokens = vocabulary();
  bytes_.reserve(tokens.size(), 8 * std::size_t{tokens.size()});
  piece_index_ = StringIndex(tokens.size());
  std::string bytes;
  for (std::uint32_t i = 0; i < tokens.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    bytes.clear();
    byte_alphabet().decode(tokens.text(id), bytes);
    bytes_.add(bytes);
    if (!bytes.empty() && tokens.is_text(id)) piece_index_.insert(bytes_, i);
  }
}

void ByteLevelBpe::encode_text(std::string_view text, bool /*first*/,
                               std::vector<TokenId>& ids) const {
  Scratch scratch;
  PieceEnds ends, spare;
  pre_tokenizer_.split(text, ends, spare);
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    encode_piece(text.substr(begin, end - begin), scratch, ids);
    begin = end;
  }
}

// Most pieces of ordinary text are one token. That is only right where the merges lead to this
// token too, so the first time a token is met as a piece its bytes are merged, and the answer is
// kept. Two threads may find it at once: they write the same.
void ByteLevelBpe::encode_piece(std::string_view piece, Scratch& scratch,
                                std::vector<TokenId>& ids) const {
  const std::uint32_t token = piece_index_.find(bytes_, piece);
  if (token != StringIndex::kNone) {
    const Whole whole = whole_[token].load(std::memory_order_relaxed);
    if (whole == Whole::yes || pre_tokenizer_.ignore_merges) {
      ids.push_back(static_cast<TokenId>(token));
      return;
    }
    merge_piece(piece, scratch);
    if (whole == Whole::unknown) {
      const bool same = scratch.symbols.size() == 1 && scratch.symbols[0].id == token;
      whole_[token].store(same ? Whole::yes : Whole::no, std::memory_order_relaxed);
    }
  } else {
    merge_piece(piece, scratch);
  }
  append_symbols(piece, scratch.symbols, ids);
}

void ByteLevelBpe::merge_piece(std::string_view piece, Scratch& scratch) const {
  CHECK(piece.size() < BpeSymbol::kNone, piece.size());
  scratch.symbols.resize(piece.size());
  for (std::size_t i = 0; i < piece.size(); ++i) {
    scratch.symbols[i] = {byte_symbols_[static_cast<unsigned char>(piece[i])], 1};
  }
  merges_.merge(scratch.symbols, scratch.merge);
}

void ByteLevelBpe::append_symbols(std::string_view piece, const std::vector<BpeSymbol>& symbols,
                                  std::vector<TokenId>& ids) const {
  std::size_t at = 0;
  for (const BpeSymbol& symbol : symbols) {
    if (symbol.id < vocabulary().size()) {
      ids.push_back(static_cast<TokenId>(symbol.id));
    } else {
      for (const char byte : piece.substr(at, symbol.bytes)) {
        if (const auto id = byte_tokens_[static_cast<unsigned char>(byte)]) ids.push_back(*id);
      }
    }
    at += symbol.bytes;
  }
}

std::string ByteLevelBpe::text_bytes(TokenId id) const {
  return std::string(bytes_[static_cast<std::uint32_t>(id)]);
}

}  // namespace drystone
