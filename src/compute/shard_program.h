#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "compute/dtype.h"
#include "compute/program.h"

// Cuts a model across: each rank of a shard group holds a part of every layer, and the ranks' sums
// are reduced behind the attention and behind the MLP (Reducer).

namespace drystone {

constexpr std::uint32_t kShardRanksMax = 8;

// Indices [begin, end).
struct CutRange {
  std::uint32_t begin = 0, end = 0;
  std::uint32_t size() const { return end - begin; }
  friend bool operator==(const CutRange&, const CutRange&) = default;
};

// The part of one rank. Parts of the ranks follow each other without gaps.
struct ShardCut {
  std::uint32_t rank = 0, ranks = 1;
  CutRange kv_heads;  // with all query heads that read them
  CutRange ff;        // columns of the MLP
  CutRange vocab;     // rows of the output matrix
  friend bool operator==(const ShardCut&, const ShardCut&) = default;
};

// Cuts for ranks that take `shares` of the work (any positive unit; 1 to kShardRanksMax of them):
// the rank with the most to do for its share has as little as possible, in bytes of weights.
//   kv_heads  at multiples such that no block of an attention output row is cut
//   ff        at multiples of the blocks of the down projection
//   vocab     at multiples of 64 rows (packed panels have 16)
// The first two also at multiples of 128 inputs where that leaves enough to divide: activations are
// quantized in groups of 128, so that a shard rounds as the whole does.
// Every rank gets some of each. The same figures give the same cuts on every machine.
// Errors: invalid_argument  no shares, too many, or one that is not positive and finite
//         unsupported       more ranks than there are KV heads, MLP blocks or vocabulary rows to
//                           divide at such borders (the message says which, and the figures);
//                           layers that differ in their heads
Result<std::vector<ShardCut>> shard_cuts(const Program& program, std::span<const double> shares,
                                         const std::function<DType(const TensorSpec&)>& type_of);

// The program of one rank of `program`, which is whole. It has the same layers, d_model and tokens,
// with fewer heads, MLP columns and logits. Tensors that only other ranks use are gone: biases
// behind a reduction stand on rank 0 alone. The embedding stays whole (only the stage that embeds
// holds it), the output matrix is the rank's rows; of a tied one, rows of the embedding. CHECKs
// that the cut lies within the program.
Program shard_program(const Program& program, const ShardCut& cut);

}  // namespace drystone
