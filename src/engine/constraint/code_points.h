#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace drystone::constraint {

constexpr std::uint32_t kCodePointMax = 0x10FFFF;

// A set of Unicode code points without the surrogates: what one character of valid UTF-8 can be.
class CodePointSet {
 public:
  struct Range {
    std::uint32_t first, last;  // inclusive
  };
  CodePointSet() = default;
  CodePointSet(std::initializer_list<Range> ranges) {
    for (const Range& range : ranges) add(range.first, range.last);
  }
  static CodePointSet all() { return {{0, kCodePointMax}}; }

  void add(std::uint32_t first, std::uint32_t last);
  void add(const CodePointSet& other);
  CodePointSet complement() const;
  CodePointSet without(const CodePointSet& other) const;
  CodePointSet intersection(const CodePointSet& other) const;
  bool contains(std::uint32_t code_point) const;
  bool empty() const { return ranges_.empty(); }
  const std::vector<Range>& ranges() const { return ranges_; }  // ascending, disjoint

 private:
  std::vector<Range> ranges_;
};

// A sequence of 1 to 4 byte ranges; the code points whose UTF-8 lies in it.
struct Utf8Sequence {
  struct Bytes {
    std::uint8_t first, last;  // inclusive
  };
  std::array<Bytes, 4> bytes;
  int size = 0;
};
std::vector<Utf8Sequence> utf8_sequences(const CodePointSet& set);

void append_utf8(std::string& out, std::uint32_t code_point);
// Reads one character at `at` and moves it; false on invalid UTF-8.
bool read_utf8(std::string_view text, std::size_t& at, std::uint32_t& code_point);

}  // namespace drystone::constraint
