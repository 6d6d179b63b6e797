#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

namespace drystone {

// Shares the units [0, count) of one operation among threads: each takes parts from the front of a
// contiguous range of its own and, when that is empty, from the end of the fullest other. Threads
// that run undisturbed walk through memory in order; one that is slow (another kind of core, or a
// core that other programs use too) holds nobody up for longer than a part.
class WorkRanges {
 public:
  struct Part {
    std::uint32_t begin, end;
    std::uint32_t ahead;  // where what this thread takes next is likely to end; not below `end`
  };

  explicit WorkRanges(int threads) : ranges_(static_cast<std::size_t>(threads)) {}

  // Not while threads take.
  void reset(std::uint32_t count);

  // What `thread` does next; empty when everything is taken. Thread-safe; each unit is given once.
  std::optional<Part> take(int thread);

 private:
  struct alignas(64) Range {
    std::atomic<std::uint64_t> bounds{0};  // begin << 32 | end
  };
  std::vector<Range> ranges_;
};

}  // namespace drystone
