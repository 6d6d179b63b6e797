#include "store/range_set.h"

#include <algorithm>

#include "base/check.h"

namespace drystone {

void RangeSet::add(ByteRange range) {
  CHECK(range.begin <= range.end, range.begin, range.end);
  if (range.size() == 0) return;
  // The first one that ends at `begin` or behind it, and all up to `end`, become one.
  auto at = ends_.upper_bound(range.begin);
  if (at != ends_.begin() && std::prev(at)->second >= range.begin) --at;
  while (at != ends_.end() && at->first <= range.end) {
    range.begin = std::min(range.begin, at->first);
    range.end = std::max(range.end, at->second);
    at = ends_.erase(at);
  }
  ends_.emplace(range.begin, range.end);
}

bool RangeSet::contains(ByteRange range) const { return missing(range).empty(); }

std::vector<ByteRange> RangeSet::missing(ByteRange range) const {
  std::vector<ByteRange> gaps;
  auto at = ends_.upper_bound(range.begin);
  if (at != ends_.begin() && std::prev(at)->second > range.begin) --at;
  for (; range.begin < range.end && at != ends_.end() && at->first < range.end; ++at) {
    if (at->first > range.begin) gaps.push_back({range.begin, at->first});
    range.begin = std::max(range.begin, at->second);
  }
  if (range.begin < range.end) gaps.push_back(range);
  return gaps;
}

std::vector<ByteRange> RangeSet::ranges() const {
  std::vector<ByteRange> ranges;
  for (const auto& [begin, end] : ends_) ranges.push_back({begin, end});
  return ranges;
}

Bytes RangeSet::size() const {
  Bytes size = 0;
  for (const auto& [begin, end] : ends_) size += end - begin;
  return size;
}

}  // namespace drystone
