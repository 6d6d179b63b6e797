#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/result.h"

namespace drystone {

// Pages of a mapped file. Touching one that the file does not have any more, or that the disk does
// not give, would end the process (SIGBUS); while they are watched, zeros are read from there on,
// and first_lost() says so. The handler of a signal belongs to the whole process: it is installed
// with the first pages, and hands on what does not concern them.
class WatchedPages {
 public:
  // `pages` begin at a page's border and stay mapped for the life of the object.
  // Errors: limit (more than 4096 files are mapped).
  static Result<WatchedPages> watch(std::span<const std::byte> pages);
  WatchedPages() = default;
  WatchedPages(WatchedPages&& other) noexcept;
  WatchedPages& operator=(WatchedPages&& other) noexcept;
  ~WatchedPages();

  // Where zeros begin that were read instead of the file's bytes.
  std::optional<std::size_t> first_lost() const;

 private:
  struct Range;
  explicit WatchedPages(Range& range) : range_(&range) {}
  friend struct BusHandler;

  Range* range_ = nullptr;
};

}  // namespace drystone
