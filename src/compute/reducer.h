#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/result.h"

namespace drystone {

// Adds up what the ranks of a shard group computed, each its part of the same product.
class Reducer {
 public:
  virtual ~Reducer() = default;
  virtual std::uint32_t rank() const = 0;
  virtual std::uint32_t ranks() const = 0;
  // Replaces `values`, f32 [rows, d_model], by their sum over all ranks, added in the order of the
  // ranks, ((v0 + v1) + v2) + ..., each as it was sent, so that all ranks end with the same bits,
  // of each row whatever others stand beside it. All ranks call it in the same order with as many
  // values. Blocks until all have; whoever waits for a sum of few rows calls `meanwhile`, if there
  // is one, again and again on the thread that called, for a few microseconds each time. One
  // thread at a time.
  // Errors: unavailable  a rank is lost. `values` are undefined and the step is void; until the
  //                      group is made anew, every call fails like this
  virtual Result<void> all_reduce(std::span<float> values,
                                  const std::function<void()>& meanwhile = {}) = 0;
};

}  // namespace drystone
