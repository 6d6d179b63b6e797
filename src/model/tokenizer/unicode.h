#pragma once

#include <cstdint>
#include <string_view>

namespace drystone {

// What a code point is, as pre-tokenizers see it: one bit, so that a set of classes is a mask.
using CharMask = std::uint16_t;
constexpr CharMask kUpper = 1, kLower = 2, kCaseless = 4, kMark = 8, kNumber = 16,
                   kPunctuation = 32, kSymbol = 64, kSpace = 128, kOther = 256;
constexpr CharMask kLetter = kUpper | kLower | kCaseless;

struct Char {
  char32_t code = 0;
  CharMask mask = 0;       // 0 only at the end of the text
  std::uint8_t bytes = 0;  // 0 only at the end of the text

  bool is(CharMask classes) const { return (mask & classes) != 0; }
};

// The character that starts at byte `at`. A byte that starts no valid UTF-8 character counts as
// U+FFFD, one byte long.
Char decode_non_ascii(std::string_view text, std::size_t at);
extern const CharMask kAsciiMasks[128];

inline Char char_at(std::string_view text, std::size_t at) {
  if (at >= text.size()) return {};
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) return {byte, kAsciiMasks[byte], 1};
  return decode_non_ascii(text, at);
}

// How many bytes at the end of `text` are the beginning of a valid character that is not complete:
// 0..3.
std::size_t incomplete_utf8_suffix(std::string_view text);

}  // namespace drystone
