#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace drystone {

// Hands out the KV pages of a stage, lowest number first. Never more than there are.
class PageAllocator {
 public:
  explicit PageAllocator(std::uint32_t pages);

  std::optional<std::uint32_t> allocate();  // nullopt: none is free
  void release(std::uint32_t page);
  std::uint32_t free_pages() const { return static_cast<std::uint32_t>(free_.size()); }

 private:
  std::vector<std::uint32_t> free_;  // a stack
  std::vector<bool> taken_;
};

}  // namespace drystone
