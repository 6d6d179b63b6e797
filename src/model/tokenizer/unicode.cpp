#include "model/tokenizer/unicode.h"

#include <array>
#include <cstring>
#include <map>
#include <vector>

namespace drystone {
namespace {

struct RangeStart {
  char32_t first;
  CharMask mask;
};
constexpr RangeStart kRanges[] = {
#include "model/tokenizer/unicode_ranges.inc"
};

constexpr char32_t kCodePoints = 0x110000;
constexpr std::size_t kBlock = 256;

// Two stages: most blocks of 256 code points are equal to another one, so the whole of Unicode
// takes some 100 KB.
class ClassTable {
 public:
  ClassTable() {
    std::map<std::array<CharMask, kBlock>, std::uint16_t> known;
    std::array<CharMask, kBlock> block;
    std::size_t range = 0;
    for (char32_t code = 0; code < kCodePoints; ++code) {
      while (range + 1 < std::size(kRanges) && kRanges[range + 1].first <= code) ++range;
      block[code % kBlock] = kRanges[range].mask;
      if (code % kBlock != kBlock - 1) continue;
      const auto [at, is_new] = known.emplace(block, static_cast<std::uint16_t>(blocks_.size()));
      if (is_new) blocks_.push_back(block);
      index_[code / kBlock] = at->second;
    }
  }
  CharMask operator[](char32_t code) const { return blocks_[index_[code / kBlock]][code % kBlock]; }

 private:
  std::array<std::uint16_t, kCodePoints / kBlock> index_;
  std::vector<std::array<CharMask, kBlock>> blocks_;
};

const ClassTable& class_table() {
  static const ClassTable kTable;
  return kTable;
}

// Length of the character that `lead` begins, 0 for a byte that begins none.
std::size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;
  if (lead < 0xE0) return 2;
  if (lead < 0xF0) return 3;
  return lead < 0xF5 ? 4 : 0;
}

// Whether `second` may follow `lead`: no overlong forms, surrogates or code points above U+10FFFF.
bool second_byte_fits(unsigned char lead, unsigned char second) {
  switch (lead) {
    case 0xE0:
      return second >= 0xA0 && second <= 0xBF;
    case 0xED:
      return second >= 0x80 && second <= 0x9F;
    case 0xF0:
      return second >= 0x90 && second <= 0xBF;
    case 0xF4:
      return second >= 0x80 && second <= 0x8F;
    default:
      return second >= 0x80 && second <= 0xBF;
  }
}

}  // namespace

Char decode_non_ascii(std::string_view text, std::size_t at) {
  constexpr Char kInvalid = {0xFFFD, kSymbol, 1};
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const std::size_t length = sequence_length(byte(0));
  if (length < 2 || at + length > text.size() || !second_byte_fits(byte(0), byte(1)))
    return kInvalid;
  char32_t code = byte(0) & (0x7F >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return kInvalid;
    code = code << 6 | (byte(i) & 0x3F);
  }
  return {code, class_table()[code], static_cast<std::uint8_t>(length)};
}

std::size_t incomplete_utf8_suffix(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;  // a continuation byte: its lead stands further left
    const bool open = sequence_length(byte) > back;
    if (!open) return 0;
    return back == 1 ||
                   second_byte_fits(byte, static_cast<unsigned char>(text[text.size() - back + 1]))
               ? back
               : 0;
  }
  return 0;
}

#define DRYSTONE_8(x) x, x, x, x, x, x, x, x
const CharMask kAsciiMasks[128] = {
    DRYSTONE_8(kOther), kOther, kSpace, kSpace, kSpace, kSpace, kSpace, kOther, kOther,
    DRYSTONE_8(kOther), DRYSTONE_8(kOther),
    // space ! " # $ % & '    ( ) * + , - . /
    kSpace, kPunctuation, kPunctuation, kPunctuation, kSymbol, kPunctuation, kPunctuation,
    kPunctuation, kPunctuation, kPunctuation, kPunctuation, kSymbol, kPunctuation, kPunctuation,
    kPunctuation, kPunctuation, DRYSTONE_8(kNumber), kNumber, kNumber,
    // : ; < = > ? @
    kPunctuation, kPunctuation, kSymbol, kSymbol, kSymbol, kPunctuation, kPunctuation,
    DRYSTONE_8(kUpper), DRYSTONE_8(kUpper), DRYSTONE_8(kUpper), kUpper, kUpper,
    // [ \ ] ^ _ `
    kPunctuation, kPunctuation, kPunctuation, kSymbol, kPunctuation, kSymbol, DRYSTONE_8(kLower),
    DRYSTONE_8(kLower), DRYSTONE_8(kLower), kLower, kLower,
    // { | } ~ DEL
    kPunctuation, kSymbol, kPunctuation, kSymbol, kOther};
#undef DRYSTONE_8

}  // namespace drystone
