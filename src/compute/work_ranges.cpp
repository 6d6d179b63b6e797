#include "compute/work_ranges.h"

#include <algorithm>

namespace drystone {
namespace {

// A part is this fraction of what its range still holds, so that the last ones are small.
constexpr std::uint32_t kOwnFraction = 4, kTakenFraction = 2;

std::uint32_t begin_of(std::uint64_t bounds) { return static_cast<std::uint32_t>(bounds >> 32); }
std::uint32_t end_of(std::uint64_t bounds) { return static_cast<std::uint32_t>(bounds); }
std::uint64_t bounds_of(std::uint32_t begin, std::uint32_t end) {
  return std::uint64_t{begin} << 32 | end;
}
std::uint32_t rest_of(std::uint64_t bounds) { return end_of(bounds) - begin_of(bounds); }
std::uint32_t part_of(std::uint64_t bounds, std::uint32_t fraction) {
  return (rest_of(bounds) + fraction - 1) / fraction;
}

}  // namespace

void WorkRanges::reset(std::uint32_t count) {
  const std::uint64_t threads = ranges_.size();
  for (std::uint64_t t = 0; t < threads; ++t)
    ranges_[t].bounds.store(bounds_of(static_cast<std::uint32_t>(count * t / threads),
                                      static_cast<std::uint32_t>(count * (t + 1) / threads)),
                            std::memory_order_relaxed);
}

// Relaxed throughout: the pool's own barriers order the work itself.
std::optional<WorkRanges::Part> WorkRanges::take(int thread) {
  auto& own = ranges_[static_cast<std::size_t>(thread)].bounds;
  for (std::uint64_t bounds = own.load(std::memory_order_relaxed); rest_of(bounds) > 0;) {
    const std::uint32_t begin = begin_of(bounds), end = begin + part_of(bounds, kOwnFraction);
    if (own.compare_exchange_weak(bounds, bounds_of(end, end_of(bounds)),
                                  std::memory_order_relaxed))
      return Part{begin, end, end_of(bounds)};
  }
  for (;;) {
    std::atomic<std::uint64_t>* fullest = nullptr;
    std::uint64_t bounds = 0;
    for (Range& range : ranges_) {
      const std::uint64_t seen = range.bounds.load(std::memory_order_relaxed);
      if (rest_of(seen) > rest_of(bounds)) bounds = seen, fullest = &range.bounds;
    }
    if (fullest == nullptr) return std::nullopt;
    const std::uint32_t end = end_of(bounds), begin = end - part_of(bounds, kTakenFraction);
    if (fullest->compare_exchange_weak(bounds, bounds_of(begin_of(bounds), begin),
                                       std::memory_order_relaxed))
      return Part{begin, end, end};
  }
}

}  // namespace drystone
