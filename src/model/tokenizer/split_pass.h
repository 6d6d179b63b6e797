#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "model/tokenizer/unicode.h"

namespace drystone {

// Where pieces end, ascending, as byte offsets.
using PieceEnds = std::vector<std::size_t>;

// One rule that cuts text into the pieces BPE merges within. A pre-tokenizer applies several, each
// to the pieces the one before left. Text that a rule does not match stays a piece of its own.
class SplitPass {
 public:
  virtual ~SplitPass() = default;
  // Appends the ends of the pieces of `piece` (not empty), each plus `offset`; the last is that of
  // `piece` itself.
  virtual void split(std::string_view piece, std::size_t offset, PieceEnds& ends) const = 0;
};

// GPT-2: contractions in lower case, then letters, numbers or anything else, each with one space
// before it.
std::unique_ptr<SplitPass> gpt2_pass();

// The family that began with Llama 3: one regular expression with these differences.
struct WordRules {
  CharMask word = kLetter;          // what words consist of
  std::uint32_t digits_max = 3;     // numbers are cut after so many digits; 0: never
  bool contractions_first = true;   // `'s` and the like are a piece
  bool contraction_suffix = false;  // or belong to the word before them
  bool split_case = false;          // `CamelCase` is two words
  bool slash_ends =
      false;  // newlines and slashes, not only newlines, belong to the punctuation before them
  bool newline_ends = true;  // newlines belong to the punctuation before them
  bool han_apart = false;    // runs of Chinese characters are a piece
};
std::unique_ptr<SplitPass> word_pass(const WordRules& rules);

// DeepSeek V3's last rule.
std::unique_ptr<SplitPass> deepseek_v3_pass();

// Runs of characters of one kind.
struct RunRules {
  bool (*matches)(const Char&);
  std::uint32_t max = 0;  // characters in a piece; 0: as many as stand together
  std::uint32_t min = 1;  // fewer are no match
  enum class Lead {
    none,
    blank,
    white_space
  } lead = Lead::none;  // one of these in front belongs to the run
};
std::unique_ptr<SplitPass> run_pass(const RunRules& rules);

// White space at the end of a piece.
std::unique_ptr<SplitPass> trailing_space_pass();

}  // namespace drystone
