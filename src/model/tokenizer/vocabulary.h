#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/gguf/metadata.h"
#include "model/tokenizer/string_index.h"
#include "model/tokenizer/tokenizer.h"

namespace drystone {

// What a pre-tokenizer or a tokenizer model says where the file says nothing.
struct VocabularyDefaults {
  std::optional<TokenId> bos, eos, unknown;
  bool add_bos = false, add_eos = false;
};

// The tokens of a model file and what each of them is for. Immutable after load().
class Vocabulary {
 public:
  static constexpr std::uint32_t kTokensMax = 1u << 24;

  // Errors: corrupt, naming the key: no tokens, arrays of another length, a kind or an id out of
  // range, NaN scores.
  static Result<Vocabulary> load(const Metadata& metadata, const VocabularyDefaults& defaults);

  std::uint32_t size() const { return texts_.size(); }
  std::string_view text(TokenId id) const { return texts_[static_cast<std::uint32_t>(id)]; }
  TokenKind kind(TokenId id) const { return kinds_[static_cast<std::size_t>(id)]; }
  float score(TokenId id) const { return scores_[static_cast<std::size_t>(id)]; }
  bool has_scores() const { return !scores_.empty(); }
  std::optional<TokenId> find(std::string_view text) const;
  // May stand for a piece of a user's text; control and unknown tokens must not come out of it.
  bool is_text(TokenId id) const {
    return kind(id) != TokenKind::control && kind(id) != TokenKind::unknown;
  }
  // The token `<0xXX>`, or the one whose text is this byte.
  std::optional<TokenId> byte_token(unsigned char byte) const;
  // The byte of a token `<0xXX>`.
  std::optional<char> byte_of(TokenId id) const;

  bool is_end_of_generation(TokenId id) const { return ends_[static_cast<std::size_t>(id)]; }
  bool strips_left(TokenId id) const {
    return !strips_left_.empty() && strips_left_[static_cast<std::size_t>(id)];
  }
  bool strips_right(TokenId id) const {
    return !strips_right_.empty() && strips_right_[static_cast<std::size_t>(id)];
  }

  std::optional<TokenId> bos, eos, unknown;
  bool add_bos = false, add_eos = false;
  std::optional<bool> add_space_prefix;  // as the file says

 private:
  Result<void> load_tokens(const Metadata& metadata);
  Result<void> load_kinds(const Metadata& metadata);
  Result<void> load_scores(const Metadata& metadata);
  Result<void> load_special_ids(const Metadata& metadata, const VocabularyDefaults& defaults);
  Result<void> find_ends_of_generation(const Metadata& metadata);
  Result<void> find_stripping_tokens(const Metadata& metadata);
  Result<std::optional<TokenId>> token_id(const Metadata& metadata, std::string_view key) const;
  void end_at(std::optional<TokenId> id);

  StringArena texts_;
  StringIndex index_;
  std::vector<TokenKind> kinds_;
  std::vector<float> scores_;
  std::vector<bool> ends_, strips_left_, strips_right_;
};

}  // namespace drystone
