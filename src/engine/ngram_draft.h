#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "model/tokenizer/tokenizer.h"

namespace drystone {

// Guesses what comes next by what came after the same few tokens before: code that is edited and
// texts that quote come again nearly word for word. How much it guesses follows how often it was
// right.
class NgramDraft {
 public:
  static constexpr std::uint32_t kTokensMax = 7;

  void push(TokenId token);  // the sequence goes on with this
  // At most `limit` tokens that may follow.
  std::vector<TokenId> guess(std::uint32_t limit);
  // Of the last guess, so many were right.
  void judge(std::uint32_t guessed, std::uint32_t right);

 private:
  static constexpr std::uint32_t kLength = 3;  // tokens that have to agree

  std::uint64_t key(std::size_t end) const;  // of the kLength tokens before `end`

  std::vector<TokenId> tokens_;
  std::unordered_map<std::uint64_t, std::uint32_t> last_end_;  // key -> behind its last occurrence
  std::uint32_t length_ = 3;  // of the next guess; 0: none but now and then
  std::uint32_t silent_ = 0;  // tokens since the last guess
};

}  // namespace drystone
