#pragma once

#include <string_view>
#include <vector>

#include "model/tokenizer/vocabulary.h"

namespace drystone {

// A stretch of text between special tokens, or one special token.
struct Fragment {
  std::string_view text;
  TokenId token = -1;  // not negative: the special token; `text` is what it matched

  bool is_token() const { return token >= 0; }
};

// Finds special tokens in raw text, the longest first wherever they stand, so that `<|im_start|>`
// wins over a shorter token within it.
class SpecialTokens {
 public:
  explicit SpecialTokens(const Vocabulary& vocabulary);  // borrows it
  // Control and unknown tokens only with `parse_special`; user-defined ones always.
  std::vector<Fragment> partition(std::string_view text, bool parse_special) const;

 private:
  struct Node {  // of a trie over the bytes of the tokens; siblings are a list
    std::uint32_t child = 0, sibling = 0;
    std::int32_t order = -1;  // which entry of by_length_ ends here
    char byte = 0;
  };
  void insert(std::string_view text, std::int32_t order);
  std::uint32_t child_of(std::uint32_t node, char byte) const;
  std::vector<bool> occurring(std::string_view text) const;
  void split_at(TokenId id, std::vector<Fragment>& fragments) const;

  const Vocabulary& vocabulary_;
  std::vector<TokenId> by_length_;  // longest first
  std::vector<Node> nodes_;
  bool starts_[256] = {};
};

}  // namespace drystone
