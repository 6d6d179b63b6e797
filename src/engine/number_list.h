#pragma once

#include <cstdint>
#include <vector>

#include "base/check.h"

namespace drystone {

// An order of some of the numbers [0, numbers), each at most once; everything in constant time.
class NumberList {
 public:
  static constexpr std::uint32_t kNone = ~0u;

  explicit NumberList(std::uint32_t numbers) : links_(numbers) {}

  std::uint32_t size() const { return size_; }
  std::uint32_t front() const { return first_; }  // kNone: empty
  std::uint32_t after(std::uint32_t number) const { return links_[number].after; }

  void push_front(std::uint32_t number) { link(kNone, number, first_); }
  void push_back(std::uint32_t number) { link(last_, number, kNone); }
  void remove(std::uint32_t number) {
    Link& link = links_[number];
    CHECK(link.listed, number);
    (link.before == kNone ? first_ : links_[link.before].after) = link.after;
    (link.after == kNone ? last_ : links_[link.after].before) = link.before;
    link = {};
    --size_;
  }

 private:
  struct Link {
    std::uint32_t before = kNone, after = kNone;
    bool listed = false;
  };

  void link(std::uint32_t before, std::uint32_t number, std::uint32_t after) {
    CHECK(!links_[number].listed, number);
    links_[number] = {before, after, true};
    (before == kNone ? first_ : links_[before].after) = number;
    (after == kNone ? last_ : links_[after].before) = number;
    ++size_;
  }

  std::vector<Link> links_;
  std::uint32_t first_ = kNone, last_ = kNone, size_ = 0;
};

}  // namespace drystone
