#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/scratch_file.h"
#include "compute/device.h"
#include "engine/number_list.h"
#include "engine/page_index.h"

namespace drystone {

struct PageTierCounts {
  std::uint32_t slots = 0, slots_in_use = 0;
  Bytes page_bytes = 0;
  std::uint64_t stored = 0, restored = 0;  // pages since the start
  std::uint64_t dropped = 0;               // not stored: the disk was slower than the evictions
  std::uint64_t failed = 0;                // could not be written, or not be read as written
};

// The second tier of the prefix cache: full pages that memory has no more room for, in slots of a
// file that never grows beyond its bound; the page not wanted for longest makes room. What is in
// the file is known by an index in memory alone, so nothing of it outlives the process.
//
// The disk may be full, slow or lie: a page that cannot be written, or whose bytes do not have the
// checksum (XXH3, 64 bits) that they had, is forgotten, and counts as never stored.
//
// Not thread-safe, but for the thread of its own that writes.
class PageTier {
 public:
  // Pages on their way to the file take at most this much memory, but room for two at least.
  static constexpr Bytes kQueueBytes = 32 * kMiB;

  // `stage` is borrowed for the tier's life; the file takes at most `bytes_max`.
  // Errors: limit  not one page of this stage fits
  static Result<std::unique_ptr<PageTier>> create(DeviceStage& stage,
                                                  std::unique_ptr<ScratchFile> file,
                                                  Bytes bytes_max);
  ~PageTier();  // what is not written yet never will be
  PageTier(const PageTier&) = delete;
  PageTier& operator=(const PageTier&) = delete;

  bool holds(PrefixId prefix) const { return slot_of_.contains(prefix); }
  // The chain that ends with the page, if it is held.
  std::optional<PrefixId> find(const PageKey& key) const;

  // Copies `page` of the stage, which holds `key` and ends the chain `prefix`; a thread writes it.
  // A page that is held already counts as wanted just now. False: dropped, no place in the queue.
  bool store(PrefixId prefix, const PageKey& key, std::uint32_t page);
  // Copies what find() found into `page` of the stage and returns its chain. Blocks for reading a
  // page. nullopt: not held, or not any more because reading failed; `page` is as it was.
  std::optional<PrefixId> restore(const PageKey& key, std::uint32_t page);

  bool has_room();  // for one page in the queue
  // Waits for has_room(), but no longer than `limit`.
  bool wait_for_room(std::chrono::milliseconds limit);
  void flush();  // blocks until the queue is empty

  const PageTierCounts& counts() const { return counts_; }

 private:
  static constexpr std::uint32_t kNone = NumberList::kNone;
  struct Slot {
    std::uint32_t buffer = kNone;  // of a page that is being written
    std::uint64_t checksum = 0;    // of one that is written
  };
  struct Written {
    std::uint32_t slot;
    bool well;
    std::uint64_t checksum;
  };

  PageTier(DeviceStage& stage, std::unique_ptr<ScratchFile> file, std::uint32_t slots);
  Bytes offset(std::uint32_t slot) const { return slot_bytes_ * slot; }
  std::uint32_t slot_to_fill();
  bool read(std::uint32_t slot);  // into read_buffer_
  void forget(std::uint32_t slot);
  void settle();
  void write_pages(const std::stop_token& stop);

  DeviceStage& stage_;
  const std::unique_ptr<ScratchFile> file_;
  const Bytes slot_bytes_;
  std::vector<Slot> slots_;
  PageIndex index_;
  std::unordered_map<PrefixId, std::uint32_t> slot_of_;
  std::vector<std::uint32_t> free_slots_;
  NumberList order_;  // of the slots in use; the first makes room
  std::vector<std::vector<std::byte>> buffers_;
  std::vector<std::uint32_t> free_buffers_;
  std::vector<std::byte> read_buffer_;
  PageTierCounts counts_;

  std::mutex mutex_;
  std::condition_variable_any wake_writer_;
  std::condition_variable wrote_;
  std::deque<std::pair<std::uint32_t, std::uint32_t>> queue_;  // slot, buffer
  std::vector<Written> written_;                               // since settle()
  std::jthread writer_;
};

}  // namespace drystone
