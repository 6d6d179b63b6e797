#pragma once

#include <string>
#include <vector>

#include "model/gguf/metadata.h"

namespace drystone {

// Small vocabularies for tests and fuzzing, as a model file would describe them.

// Byte-level BPE: the 256 bytes (ids 0..255, in the order of their printable stand-ins), a few
// merges, special tokens.
inline Metadata tiny_bpe_metadata(const std::string& pre) {
  std::vector<std::string> tokens, merges;
  const auto add_character = [&](char32_t code) {
    tokens.push_back(code < 0x80 ? std::string(1, static_cast<char>(code))
                                 : std::string{static_cast<char>(0xC0 | code >> 6),
                                               static_cast<char>(0x80 | (code & 0x3F))});
  };
  for (char32_t code = 0x21; code < 0x100; ++code) {
    if (code <= 0x7E || (code >= 0xA1 && code != 0xAD)) add_character(code);
  }
  for (char32_t code = 0x100; code < 0x144; ++code) add_character(code);
  const auto merge = [&](const std::string& left, const std::string& right) {
    merges.push_back(left + " " + right);
    tokens.push_back(left + right);
  };
  merge("h", "e");
  merge("l", "l");
  merge("he", "ll");
  merge("hell", "o");
  merge("\xC4\xA0", "w");  // a space before "w"
  merge("o", "r");
  merge("\xC4\xA0w", "or");
  merge("a", "a");
  merge("aa", "aa");
  merge("1", "2");
  merge("\xC3\xA2", "\xC4\xA2");  // the first two bytes of many symbols
  std::vector<std::int64_t> kinds(tokens.size(), 1);
  const auto special = [&](const std::string& text, std::int64_t kind) {
    tokens.push_back(text);
    kinds.push_back(kind);
  };
  special("<|start_of_text|>", 3);
  special("<|im_start|>", 3);
  special("<|im_end|>", 3);
  special("<|im_", 3);
  special("<think>", 4);
  Metadata metadata;
  metadata.set("tokenizer.ggml.model", std::string("gpt2"));
  metadata.set("tokenizer.ggml.pre", pre);
  metadata.set("tokenizer.ggml.bos_token_id", static_cast<std::int64_t>(tokens.size() - 5));
  metadata.set("tokenizer.ggml.eos_token_id", static_cast<std::int64_t>(tokens.size() - 3));
  metadata.set("tokenizer.ggml.tokens", MetadataArray(std::move(tokens)));
  metadata.set("tokenizer.ggml.token_type", MetadataArray(std::move(kinds)));
  metadata.set("tokenizer.ggml.merges", MetadataArray(std::move(merges)));
  return metadata;
}

// SentencePiece: unknown, BOS, EOS, the 256 bytes from id 3 on, some words with scores.
inline Metadata tiny_sentencepiece_metadata() {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<std::int64_t> kinds = {2, 3, 3};
  std::vector<double> scores = {0, 0, 0};
  for (int byte = 0; byte < 256; ++byte) {
    constexpr const char* kHex = "0123456789ABCDEF";
    tokens.push_back(std::string("<0x") + kHex[byte / 16] + kHex[byte % 16] + ">");
    kinds.push_back(6);
    scores.push_back(0);
  }
  const auto word = [&](const std::string& text, double score) {
    tokens.push_back(text);
    kinds.push_back(1);
    scores.push_back(score);
  };
  for (const char* text : {"\xE2\x96\x81", "h", "e", "l", "o", "w", "r", "a", "b"})
    word(text, -100);
  word("he", -1);
  word("ll", -2);
  word("hell", -3);
  word("hello", -4);
  word("\xE2\x96\x81hello", -5);
  word("\xE2\x96\x81w", -6);
  word("ab", -7);
  word("ba", -7);
  Metadata metadata;
  metadata.set("tokenizer.ggml.model", std::string("llama"));
  metadata.set("tokenizer.ggml.tokens", MetadataArray(std::move(tokens)));
  metadata.set("tokenizer.ggml.token_type", MetadataArray(std::move(kinds)));
  metadata.set("tokenizer.ggml.scores", MetadataArray(std::move(scores)));
  return metadata;
}

}  // namespace drystone
