#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace drystone {

// Strings end to end in one block, named by their number.
class StringArena {
 public:
  void reserve(std::size_t strings, std::size_t bytes) {
    ends_.reserve(strings + 1);
    bytes_.reserve(bytes);
  }
  std::uint32_t add(std::string_view text) {
    bytes_.append(text);
    ends_.push_back(bytes_.size());
    return static_cast<std::uint32_t>(ends_.size() - 2);
  }
  std::string_view operator[](std::uint32_t i) const {
    return std::string_view(bytes_).substr(ends_[i], ends_[i + 1] - ends_[i]);
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(ends_.size() - 1); }

 private:
  std::string bytes_;
  std::vector<std::size_t> ends_ = {0};
};

std::uint64_t hash_bytes(std::string_view text);

// From a string to its number in a StringArena: open addressing, at most half full.
class StringIndex {
 public:
  static constexpr std::uint32_t kNone = ~0u;

  // `strings` is borrowed by each call, not kept: the arena may move and grow.
  explicit StringIndex(std::size_t expected = 0);
  // Of equal strings the first inserted one stays; false for the others.
  bool insert(const StringArena& strings, std::uint32_t i);
  std::uint32_t find(const StringArena& strings, std::string_view text) const;

 private:
  struct Slot {
    std::uint32_t tag = 0;  // high half of the hash, so that few strings are compared in vain
    std::uint32_t i = kNone;
  };
  void grow(const StringArena& strings);

  std::vector<Slot> slots_;
  std::size_t mask_ = 0, used_ = 0;
};

}  // namespace drystone
