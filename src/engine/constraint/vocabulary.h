#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/tokenizer/tokenizer.h"

namespace drystone {

// The tokens of a model as constraints see them: bytes in a trie. Built once per model (some
// tens of milliseconds); immutable, safe from several threads.
class ConstraintVocabulary {
 public:
  struct Source {
    std::uint32_t size = 0;                     // of the logits: ids without text are never allowed
    std::function<std::string(TokenId)> bytes;  // "": never allowed
    std::function<bool(TokenId)> is_control;    // never allowed, unless it ends
    std::function<bool(TokenId)> is_end_of_generation;  // allowed where the text may end
    std::vector<TokenId> visible = {};                  // as visible() tells them
  };
  static std::shared_ptr<const ConstraintVocabulary> build(const Source& source);
  // `size`: of the logits, at least tokenizer.size(). `visible`: control tokens that stand for
  // their text, as the marks of a tool call do.
  static std::shared_ptr<const ConstraintVocabulary> build(const Tokenizer& tokenizer,
                                                           std::uint32_t size,
                                                           std::span<const TokenId> visible = {});

  std::uint32_t size() const { return size_; }
  // The control tokens among them that stand for their text.
  const std::vector<TokenId>& visible() const { return visible_; }
  std::size_t mask_words() const { return (size_ + 63) / 64; }
  const std::vector<TokenId>& end_tokens() const { return end_tokens_; }
  bool is_end_of_generation(TokenId id) const;
  // Bytes of an allowed token; "" for others.
  std::span<const std::uint8_t> bytes(TokenId id) const;
  // Bytes that are tokens on their own.
  const std::bitset<256>& single_bytes() const { return single_bytes_; }
  std::uint32_t longest_bytes() const { return longest_bytes_; }

  // The trie in preorder, without its root: a node stands for the text from the root to it, and is
  // followed by the nodes below it, up to but without `skip`.
  struct Node {
    std::uint8_t byte;
    std::uint8_t depth;    // 1 for the first byte of a token
    std::uint8_t reach;    // the length of the longest token here or below
    std::uint32_t skip;    // the next node that is not below
    std::uint32_t tokens;  // into ids(): the tokens whose bytes end here are [tokens, next node's)
  };
  std::span<const Node> nodes() const { return {nodes_.data(), nodes_.size() - 1}; }
  // One more may be read than there are: a last one that only ends the tokens of its predecessor.
  const Node* node_data() const { return nodes_.data(); }
  std::span<const TokenId> ids() const { return ids_; }
  // Tokens of more than `bytes` bytes.
  std::span<const TokenId> longer_than(std::uint32_t bytes) const;

 private:
  std::uint32_t size_ = 0, longest_bytes_ = 0;
  std::vector<TokenId> end_tokens_, visible_;
  std::vector<std::uint32_t> offsets_;  // [size + 1] into text_
  std::vector<std::uint8_t> text_;
  std::bitset<256> single_bytes_;
  std::vector<Node> nodes_;
  std::vector<TokenId> ids_;
  std::vector<TokenId> by_length_;  // longest first
};

}  // namespace drystone
