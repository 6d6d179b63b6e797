#pragma once

#include <span>
#include <vector>

#include "compute/cpu/matmul.h"

namespace drystone {

// Asks for the weights of the next product while this rank waits for the others: what comes from
// memory meanwhile is in the caches when it is computed with.
class WeightsAhead {
 public:
  // Of all threads together: more than the second-level caches hold, which pass it on to the third.
  static constexpr Bytes kBytesMax = 4 << 20;
  // Of one step(): a few microseconds' reading.
  static constexpr Bytes kStepBytes = 64 << 10;

  explicit WeightsAhead(int threads) : readers_(static_cast<std::size_t>(threads)) {}

  // `weights`, borrowed, in the order in which matmul() takes them.
  void begin(std::span<const PackedMatrix* const> weights);
  // Asks for some more of what `thread` will read first. False: that was all. Each thread for
  // itself, at any time between two begin().
  bool step(int thread);

 private:
  struct alignas(64) Reader {
    Bytes at = 0, end = 0;  // in all weights, one behind the other
  };
  std::span<const PackedMatrix* const> weights_;
  std::vector<Reader> readers_;
};

}  // namespace drystone
