#pragma once

#include <cstdint>
#include <vector>

#include "app/node/measure/cache_sweep.h"
#include "base/clock.h"
#include "base/units.h"
#include "cluster/plan/node_figures.h"
#include "compute/cpu/isa.h"
#include "compute/cpu/matmul.h"
#include "compute/dtype.h"
#include "compute/thread_pool.h"

namespace drystone {

// Measures products of rows with weights, one type of weights at a time. Not thread-safe; keeps
// `threads` threads busy.
class ProductRates {
 public:
  struct Options {
    Isa isa;
    int threads = 1;
    Bytes sweep_bytes = 0;  // CacheSweep's
  };
  ProductRates(const Options& options, const Clock& clock);  // borrows the clock

  // Each the median of several tries; absent: could not be measured. Blocks for some
  // 0.1 s.
  Rates of(DType type);

 private:
  double rate(std::uint32_t rows, double time_s) const;
  double time(const PackedMatrix& weights, std::uint32_t rows, std::uint32_t generated);
  double streamed_s(const PackedMatrix& weights, std::uint32_t generated);
  double once_s(const PackedMatrix& weights, std::uint32_t rows, std::uint32_t generated);

  const Isa isa_;
  const Clock& clock_;
  ThreadPool pool_;
  const std::uint32_t rows_;
  std::vector<float> input_, output_;
  Activations activations_;
  CacheSweep sweep_;
};

}  // namespace drystone
