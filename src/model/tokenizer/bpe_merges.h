#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/gguf/metadata.h"
#include "model/tokenizer/vocabulary.h"

namespace drystone {

// A part of a piece while it is merged: a token of the vocabulary, a string that only merges know,
// or neither.
struct BpeSymbol {
  static constexpr std::uint32_t kNone = ~0u;
  std::uint32_t id = kNone;  // below Vocabulary::size(): that token
  std::uint32_t bytes = 0;   // of the piece
};

// The merge rules of a BPE model: always the lowest-ranked adjacent pair, the leftmost of equals,
// until none is left.
class BpeMerges {
 public:
  // From tokenizer.ggml.merges ("left right", best first; of equal pairs the first counts).
  // Errors: corrupt (missing, or an entry that is not two strings, naming it).
  static Result<BpeMerges> load(const Metadata& metadata, const Vocabulary& vocabulary);
  // For files that leave merges out: two tokens make the token of their joined text, the one with
  // the lowest id first.
  static BpeMerges from_ids(const Vocabulary& vocabulary);

  // kNone: takes part in no merge and is no token.
  std::uint32_t symbol(const Vocabulary& vocabulary, std::string_view text) const;

  // Memory that merge() keeps between calls.
  struct Scratch {
    std::vector<std::uint32_t> rank, merged, previous, next;
    std::vector<std::uint64_t> heap;
  };
  // Merges in place. O(n log n), O(n * n) below 32 symbols.
  void merge(std::vector<BpeSymbol>& symbols, Scratch& scratch) const;

 private:
  struct Pair {
    std::uint64_t key = ~0ull;  // left << 32 | right
    std::uint32_t rank = kNoRank, merged = 0;
  };
  static constexpr std::uint32_t kNoRank = ~0u;

  void reserve_pairs(std::size_t count);
  void add_pair(std::uint32_t left, std::uint32_t right, std::uint32_t rank, std::uint32_t merged);
  Pair find_pair(std::uint32_t left, std::uint32_t right) const;
  std::uint32_t intern(const Vocabulary& vocabulary, std::string_view text);
  void merge_by_scan(std::vector<BpeSymbol>& symbols) const;
  void merge_by_heap(std::vector<BpeSymbol>& symbols, Scratch& scratch) const;

  std::vector<Pair> pairs_;  // open addressing, at most half full
  std::size_t mask_ = 0;
  StringArena
      extra_;  // strings of merges that are no tokens: symbol ids from Vocabulary::size() on
  StringIndex extra_index_;
};

}  // namespace drystone
