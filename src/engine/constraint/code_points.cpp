#include "engine/constraint/code_points.h"

#include <algorithm>

namespace drystone::constraint {

namespace {

constexpr std::uint32_t kSurrogateFirst = 0xD800, kSurrogateLast = 0xDFFF;
constexpr std::uint32_t kLengthLast[4] = {0x7F, 0x7FF, 0xFFFF, kCodePointMax};

// Splits [first, last], both of `size` bytes, where the bytes after the first differing one do not
// span 80..BF.
void split(std::uint32_t first, std::uint32_t last, int size, std::vector<Utf8Sequence>& out) {
  for (int tail = 1; tail < size; ++tail) {
    const std::uint32_t mask = (1u << (6 * tail)) - 1;
    if ((first & ~mask) == (last & ~mask)) continue;
    if ((first & mask) != 0) {
      split(first, first | mask, size, out);
      split((first | mask) + 1, last, size, out);
      return;
    }
    if ((last & mask) != mask) {
      split(first, (last & ~mask) - 1, size, out);
      split(last & ~mask, last, size, out);
      return;
    }
  }
  std::string low, high;
  append_utf8(low, first);
  append_utf8(high, last);
  Utf8Sequence sequence;
  sequence.size = size;
  for (std::size_t i = 0; i < low.size(); ++i)
    sequence.bytes[i] = {static_cast<std::uint8_t>(low[i]), static_cast<std::uint8_t>(high[i])};
  out.push_back(sequence);
}

}  // namespace

void CodePointSet::add(std::uint32_t first, std::uint32_t last) {
  last = std::min(last, kCodePointMax);
  if (first > last) return;
  if (first <= kSurrogateLast && last >= kSurrogateFirst) {
    if (first < kSurrogateFirst) add(first, kSurrogateFirst - 1);
    if (last > kSurrogateLast) add(kSurrogateLast + 1, last);
    return;
  }
  auto at =
      std::lower_bound(ranges_.begin(), ranges_.end(), first,
                       [](const Range& range, std::uint32_t x) { return range.last + 1 < x; });
  auto end = at;
  while (end != ranges_.end() && end->first <= last + 1) {
    first = std::min(first, end->first);
    last = std::max(last, end->last);
    ++end;
  }
  at = ranges_.erase(at, end);
  ranges_.insert(at, {first, last});
}

void CodePointSet::add(const CodePointSet& other) {
  for (const Range& range : other.ranges_) add(range.first, range.last);
}

CodePointSet CodePointSet::complement() const {
  CodePointSet result;
  std::uint32_t next = 0;
  for (const Range& range : ranges_) {
    if (range.first > next) result.add(next, range.first - 1);
    next = range.last + 1;
  }
  if (next <= kCodePointMax) result.add(next, kCodePointMax);
  return result;
}

CodePointSet CodePointSet::without(const CodePointSet& other) const {
  return intersection(other.complement());
}

CodePointSet CodePointSet::intersection(const CodePointSet& other) const {
  CodePointSet result;
  std::size_t a = 0, b = 0;
  while (a < ranges_.size() && b < other.ranges_.size()) {
    const Range& left = ranges_[a];
    const Range& right = other.ranges_[b];
    const std::uint32_t first = std::max(left.first, right.first);
    const std::uint32_t last = std::min(left.last, right.last);
    if (first <= last) result.ranges_.push_back({first, last});
    if (left.last < right.last) {
      ++a;
    } else {
      ++b;
    }
  }
  return result;
}

bool CodePointSet::contains(std::uint32_t code_point) const {
  const auto at =
      std::lower_bound(ranges_.begin(), ranges_.end(), code_point,
                       [](const Range& range, std::uint32_t x) { return range.last < x; });
  return at != ranges_.end() && at->first <= code_point;
}

std::vector<Utf8Sequence> utf8_sequences(const CodePointSet& set) {
  std::vector<Utf8Sequence> out;
  for (const CodePointSet::Range& range : set.ranges()) {
    std::uint32_t first = range.first;
    for (int size = 1; size <= 4 && first <= range.last; ++size) {
      if (first > kLengthLast[size - 1]) continue;
      const std::uint32_t last = std::min(range.last, kLengthLast[size - 1]);
      split(first, last, size, out);
      first = last + 1;
    }
  }
  return out;
}

void append_utf8(std::string& out, std::uint32_t c) {
  const auto byte = [&](std::uint32_t value) { out += static_cast<char>(value); };
  if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xC0 | c >> 6);
    byte(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    byte(0xE0 | c >> 12);
    byte(0x80 | (c >> 6 & 0x3F));
    byte(0x80 | (c & 0x3F));
  } else {
    byte(0xF0 | c >> 18);
    byte(0x80 | (c >> 12 & 0x3F));
    byte(0x80 | (c >> 6 & 0x3F));
    byte(0x80 | (c & 0x3F));
  }
}

bool read_utf8(std::string_view text, std::size_t& at, std::uint32_t& code_point) {
  if (at >= text.size()) return false;
  const auto lead = static_cast<std::uint8_t>(text[at]);
  const int size = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (size == 0 || lead > 0xF4 || at + static_cast<std::size_t>(size) > text.size()) return false;
  std::uint32_t c = size == 1 ? lead : lead & (0xFFu >> (size + 1));
  for (int i = 1; i < size; ++i) {
    const auto next = static_cast<std::uint8_t>(text[at + static_cast<std::size_t>(i)]);
    if ((next & 0xC0) != 0x80) return false;
    c = c << 6 | (next & 0x3F);
  }
  const bool overlong = size > 1 && c <= kLengthLast[size - 2];
  if (overlong || c > kCodePointMax || (c >= kSurrogateFirst && c <= kSurrogateLast)) return false;
  code_point = c;
  at += static_cast<std::size_t>(size);
  return true;
}

}  // namespace drystone::constraint
