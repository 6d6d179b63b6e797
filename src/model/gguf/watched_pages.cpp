#include "model/gguf/watched_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <mutex>
#include <utility>

namespace drystone {

// Read by the signal's handler: no locks there.
struct WatchedPages::Range {
  std::atomic<std::uintptr_t> begin = 0;  // 0: free
  std::atomic<std::uintptr_t> end = 0;
  std::atomic<std::uintptr_t> lost = 0;  // the first address that reads as zero; 0: none
};

struct BusHandler {
  static_assert(std::atomic<std::uintptr_t>::is_always_lock_free);
  using Range = WatchedPages::Range;

  std::array<Range, 4096> ranges;
  std::mutex taking;
  std::uintptr_t page = 0;
  struct sigaction before{};

  static BusHandler& the() {
    static BusHandler handler;
    return handler;
  }

  BusHandler() : page(static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE))) {
    struct sigaction action{};
    action.sa_sigaction = [](int, siginfo_t* info, void*) { installed->on_bus(info->si_addr); };
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    installed = this;
    sigaction(SIGBUS, &action, &before);
  }

  // The access that failed is repeated afterwards: on zeros, or to end as it would have without us.
  void on_bus(void* address) {
    const int error = errno;
    if (!replace(reinterpret_cast<std::uintptr_t>(address))) sigaction(SIGBUS, &before, nullptr);
    errno = error;
  }

  bool replace(std::uintptr_t address) {
    for (Range& range : ranges) {
      const std::uintptr_t begin = range.begin.load(), end = range.end.load();
      if (begin == 0 || address < begin || address >= end) continue;
      const std::uintptr_t from = address / page * page;
      if (mmap(reinterpret_cast<void*>(from), end - from, PROT_READ,
               MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
        return false;
      std::uintptr_t lost = range.lost.load();
      while ((lost == 0 || from < lost) && !range.lost.compare_exchange_weak(lost, from)) {
      }
      return true;
    }
    return false;
  }

  static inline BusHandler* installed = nullptr;
};

Result<WatchedPages> WatchedPages::watch(std::span<const std::byte> pages) {
  if (pages.empty()) return WatchedPages();
  BusHandler& handler = BusHandler::the();
  const std::lock_guard lock(handler.taking);
  for (Range& range : handler.ranges) {
    if (range.begin != 0) continue;
    range.lost = 0;
    range.end = reinterpret_cast<std::uintptr_t>(pages.data() + pages.size());
    range.begin = reinterpret_cast<std::uintptr_t>(pages.data());
    return WatchedPages(range);
  }
  return Error(Errc::limit, fmt::format("{} files of models are open at once, and that is the most",
                                        handler.ranges.size()));
}

WatchedPages::WatchedPages(WatchedPages&& other) noexcept
    : range_(std::exchange(other.range_, nullptr)) {}

WatchedPages& WatchedPages::operator=(WatchedPages&& other) noexcept {
  std::swap(range_, other.range_);
  return *this;
}

WatchedPages::~WatchedPages() {
  if (range_ != nullptr) range_->begin = 0;
}

std::optional<std::size_t> WatchedPages::first_lost() const {
  if (range_ == nullptr || range_->lost == 0) return std::nullopt;
  return range_->lost - range_->begin;
}

}  // namespace drystone
