#pragma once

#include <atomic>
#include <cstdint>

#include "base/units.h"
#include "compute/cpu/device/reserved_memory.h"
#include "compute/thread_pool.h"

namespace drystone {

// Memory that takes the place of everything else in the caches when it is read.
class CacheSweep {
 public:
  static constexpr Bytes kSweepBytesMin = 64 * kMiB;
  // Nothing is swept where `bytes` are too few or cannot be had.
  CacheSweep(ThreadPool& pool, Bytes bytes) : pool_(pool) {
    if (bytes < kSweepBytesMin) return;
    if (auto memory = ReservedMemory::reserve(bytes, "measuring")) memory_ = *std::move(memory);
  }
  bool works() const { return memory_.bytes() > 0; }
  void operator()() {
    const auto* words = reinterpret_cast<const std::uint64_t*>(memory_.data());
    std::atomic<std::uint64_t> kept = 0;
    pool_.for_ranges(static_cast<std::int64_t>(memory_.bytes() / sizeof(std::uint64_t)),
                     kMiB / sizeof(std::uint64_t), [&](std::int64_t begin, std::int64_t end) {
                       constexpr int kLine = 8;
                       std::uint64_t sum = 0;
                       for (std::int64_t i = begin; i < end; i += kLine) sum += words[i];
                       kept += sum;
                     });
  }

 private:
  ThreadPool& pool_;
  ReservedMemory memory_;
};

}  // namespace drystone
