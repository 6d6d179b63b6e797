#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/gguf/metadata.h"

namespace drystone {

using TokenId = std::int32_t;

enum class TokenKind : std::uint8_t { normal = 1, unknown, control, user_defined, unused, byte };

struct EncodeOptions {
  bool parse_special = false;  // template text: true; what a user wrote: false, so that it cannot
                               // inject control tokens
  bool add_special =
      false;  // BOS/EOS as the model's metadata says; a BOS that the text brings is not doubled
};

// Text to token ids and back, from the tokenizer.* keys of a model file. Immutable; safe from
// several threads.
class Tokenizer {
 public:
  // Errors: unsupported (model or pre-tokenizer, by name), corrupt (naming the key).
  static Result<std::unique_ptr<Tokenizer>> load(const Metadata& metadata);
  virtual ~Tokenizer() = default;

  // Invalid UTF-8 is tokenized byte by byte, never refused.
  virtual std::vector<TokenId> encode(std::string_view text,
                                      const EncodeOptions& options) const = 0;
  // The raw bytes of one token (may be part of a UTF-8 character). Control tokens give "" unless
  // `special`.
  virtual std::string piece(TokenId id, bool special) const = 0;
  // Text of a whole sequence, as encode() would take it back.
  virtual std::string decode(std::span<const TokenId> ids, bool special) const = 0;

  // A model may have more logits than tokens: ids from size() on have no text, are unused and end
  // nothing.
  virtual std::uint32_t size() const = 0;
  virtual std::string_view text(TokenId id) const = 0;  // as it stands in the file
  virtual TokenKind kind(TokenId id) const = 0;
  virtual std::optional<TokenId> find(std::string_view text) const = 0;
  virtual std::string_view family() const = 0;  // "byte-level BPE (llama-bpe)", "SentencePiece"

  virtual std::optional<TokenId> bos() const = 0;
  virtual std::optional<TokenId> eos() const = 0;
  virtual bool add_bos() const = 0;
  virtual bool add_eos() const = 0;
  virtual bool is_end_of_generation(TokenId id) const = 0;
};

// Turns a stream of tokens into text that never ends within a UTF-8 character. Holds at most 3
// bytes back.
class StreamDecoder {
 public:
  StreamDecoder(const Tokenizer& tokenizer, bool special);  // borrows `tokenizer`
  std::string push(TokenId id);  // text that became complete; may be empty
  std::string flush();           // what is left, invalid bytes as U+FFFD

 private:
  const Tokenizer& tokenizer_;
  bool special_;
  std::string held_;
};

}  // namespace drystone
