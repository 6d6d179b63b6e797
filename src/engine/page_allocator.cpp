#include "engine/page_allocator.h"

#include "base/check.h"

namespace drystone {

PageAllocator::PageAllocator(std::uint32_t pages) : taken_(pages) {
  free_.reserve(pages);
  for (std::uint32_t page = pages; page > 0; --page) free_.push_back(page - 1);
}

std::optional<std::uint32_t> PageAllocator::allocate() {
  if (free_.empty()) return std::nullopt;
  const std::uint32_t page = free_.back();
  free_.pop_back();
  taken_[page] = true;
  return page;
}

void PageAllocator::release(std::uint32_t page) {
  CHECK(page < taken_.size() && taken_[page], page, taken_.size());
  taken_[page] = false;
  free_.push_back(page);
}

}  // namespace drystone
