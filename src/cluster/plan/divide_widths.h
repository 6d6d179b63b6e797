#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace drystone {

// What is to be divided over the ranks of a stage, in indivisible units.
struct WidthUnits {
  std::uint32_t kv_heads = 0, ff = 0;
  std::uint32_t vocab = 0;  // 0: a stage without output matrix
};

// One rank: the time and memory of one unit of each over all layers of the stage, and the memory
// that it has for them.
struct RankLoad {
  double kv_head_s = 0, ff_s = 0, vocab_s = 0;
  double kv_head_bytes = 0, ff_bytes = 0, vocab_bytes = 0;
  double budget = 0;
};

// Units of each rank.
struct Widths {
  std::vector<std::uint32_t> kv_heads, ff, vocab;
};

// Unequal widths, none of them 0, with the smallest max(attention) + max(feed-forward): every rank
// waits for the slowest twice per layer. Exact in these two; the vocabulary is divided by speed,
// and where memory does not allow that by memory. nullopt: does not fit, or fewer units than ranks.
// Time O(kv_heads^2 ranks) where memory binds, times the number of attention times tried (at most
// kAttentionTimesMax) and the halvings of the range of times down to the gap between two of them.
constexpr std::size_t kAttentionTimesMax = 64;
std::optional<Widths> divide_widths(const std::vector<RankLoad>& ranks, const WidthUnits& units);

}  // namespace drystone
