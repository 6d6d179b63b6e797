#include "base/base32.h"

#include <fmt/format.h>

namespace drystone {
namespace {

constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";

int value_of(char letter) {
  if (letter >= 'a' && letter <= 'z') return letter - 'a';
  if (letter >= 'A' && letter <= 'Z') return letter - 'A';
  if (letter >= '2' && letter <= '7') return letter - '2' + 26;
  return -1;
}

}  // namespace

std::string to_base32(std::span<const std::uint8_t> bytes) {
  std::string text;
  text.reserve((bytes.size() * 8 + 4) / 5);
  std::uint32_t bits = 0;
  int held = 0;
  for (const std::uint8_t byte : bytes) {
    bits = bits << 8 | byte;
    for (held += 8; held >= 5; held -= 5) text += kAlphabet[bits >> (held - 5) & 31];
  }
  if (held > 0) text += kAlphabet[bits << (5 - held) & 31];
  return text;
}

Result<void> from_base32(std::string_view text, std::span<std::uint8_t> bytes) {
  const std::size_t length = (bytes.size() * 8 + 4) / 5;
  if (text.size() != length)
    return Error(Errc::corrupt,
                 fmt::format("{} letters of base32 instead of {}", text.size(), length));
  std::uint32_t bits = 0;
  int held = 0;
  std::size_t filled = 0;
  for (const char letter : text) {
    const int value = value_of(letter);
    if (value < 0) return Error(Errc::corrupt, "a letter that base32 does not have");
    bits = bits << 5 | static_cast<std::uint32_t>(value);
    held += 5;
    if (held >= 8) {
      held -= 8;
      bytes[filled++] = static_cast<std::uint8_t>(bits >> held);
    }
  }
  if ((bits & ((1U << held) - 1)) != 0) return Error(Errc::corrupt, "base32 with bits left over");
  return {};
}

}  // namespace drystone
