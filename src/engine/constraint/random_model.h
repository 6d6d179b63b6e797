#pragma once

// For tests: vocabularies, and a model that picks any allowed token.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "engine/constraint/constraint.h"
#include "model/gguf/gguf.h"

namespace drystone {

// All single bytes, then `words`, then one token that ends and one control token.
inline std::shared_ptr<const ConstraintVocabulary> toy_vocabulary(
    const std::vector<std::string>& words = {}) {
  const auto count = static_cast<TokenId>(256 + words.size());
  return ConstraintVocabulary::build(
      {.size = static_cast<std::uint32_t>(count) + 2,
       .bytes =
           [words, count](TokenId id) {
             if (id < 256) return std::string(1, static_cast<char>(id));
             return id < count ? words[static_cast<std::size_t>(id) - 256] : std::string("<ctl>");
           },
       .is_control = [count](TokenId id) { return id >= count; },
       .is_end_of_generation = [count](TokenId id) { return id == count; }});
}

// The vocabulary of a file of ../shared/data/vocab; null where that is missing.
inline std::shared_ptr<const ConstraintVocabulary> shared_vocabulary(const std::string& name) {
  const auto file =
      GgufFile::open(std::filesystem::path(DRYSTONE_SHARED_DIR) / "data/vocab" / name);
  if (!file) return nullptr;
  const auto tokenizer = Tokenizer::load(file->metadata());
  if (!tokenizer) return nullptr;
  return ConstraintVocabulary::build(**tokenizer, (*tokenizer)->size());
}

inline std::vector<TokenId> allowed_tokens(const ConstraintState& state,
                                           const ConstraintVocabulary& vocabulary) {
  std::vector<std::uint64_t> mask(vocabulary.mask_words());
  const auto filled = state.fill_mask(mask);
  EXPECT_TRUE(filled) << filled.error().message();
  std::vector<TokenId> ids;
  for (std::size_t w = 0; w < mask.size(); ++w) {
    for (std::uint64_t word = mask[w]; word != 0; word &= word - 1)
      ids.push_back(
          static_cast<TokenId>(w * 64 + static_cast<std::size_t>(std::countr_zero(word))));
  }
  return ids;
}

// Writes one answer. Mostly any allowed token; the longer the answer, the more it prefers short
// ones that close something, so that it comes to an end. Nothing: not ended after `tokens_max`.
inline std::optional<std::string> write_answer(
    const std::shared_ptr<const CompiledConstraint>& constraint, Rng& rng, std::size_t tokens_max) {
  const ConstraintVocabulary& vocabulary = constraint->vocabulary();
  ConstraintState state(constraint);
  std::string text;
  for (std::size_t n = 0; n < tokens_max; ++n) {
    const std::vector<TokenId> ids = allowed_tokens(state, vocabulary);
    EXPECT_FALSE(ids.empty()) << "a dead end after " << text;
    if (ids.empty()) return std::nullopt;
    TokenId id = ids[rng.below(ids.size())];
    if (state.may_end() && rng.below(3) == 0) id = vocabulary.end_tokens()[0];
    if (n > 30 || rng.below(4) == 0) {
      std::vector<TokenId> closing;
      for (const TokenId candidate : ids) {
        const auto bytes = vocabulary.bytes(candidate);
        if (bytes.size() == 1 &&
            (bytes[0] == '"' || bytes[0] == '}' || bytes[0] == ']' || (n > 100 && bytes[0] == ',')))
          closing.push_back(candidate);
      }
      if (!closing.empty()) id = closing[rng.below(closing.size())];
    }
    const auto bytes = vocabulary.bytes(id);
    text.append(bytes.begin(), bytes.end());
    EXPECT_TRUE(state.accept(id)) << "allowed, but not accepted, after " << text;
    if (vocabulary.is_end_of_generation(id)) return text;
  }
  return std::nullopt;
}

// Is `text`, byte by byte, a complete match?
inline bool matches(const std::shared_ptr<const CompiledConstraint>& constraint,
                    std::string_view text) {
  ConstraintState state(constraint);
  for (const char c : text)
    if (!state.accept(static_cast<std::uint8_t>(c))) return false;
  return state.may_end();
}

inline std::shared_ptr<const CompiledConstraint> compile_or_fail(
    const ConstraintSpec& spec, const std::shared_ptr<const ConstraintVocabulary>& vocabulary) {
  auto compiled = compile(spec, vocabulary);
  EXPECT_TRUE(compiled) << compiled.error().message() << "\n" << spec.text;
  return compiled ? *compiled : nullptr;
}

inline std::shared_ptr<const CompiledConstraint> schema(const std::string& text) {
  return compile_or_fail({ConstraintSpec::Kind::json_schema, text, {}}, toy_vocabulary());
}

inline std::string error_of(ConstraintSpec::Kind kind, const std::string& text) {
  const auto compiled = compile({kind, text, {}}, toy_vocabulary());
  return compiled ? "" : compiled.error().message();
}

}  // namespace drystone
