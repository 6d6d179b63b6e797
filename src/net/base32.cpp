#include "net/base32.h"

#include <fmt/format.h>

#include <cstdint>

namespace drystone {

namespace {

constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";

int digit_of(char letter) {
  if (letter >= 'a' && letter <= 'z') return letter - 'a';
  if (letter >= 'A' && letter <= 'Z') return letter - 'A';
  if (letter >= '2' && letter <= '7') return letter - '2' + 26;
  return -1;
}

}  // namespace

std::string to_base32(std::span<const std::byte> bytes) {
  std::string text;
  text.reserve((bytes.size() * 8 + 4) / 5);
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const std::byte byte : bytes) {
    bits = (bits << 8) | std::to_integer<std::uint32_t>(byte);
    for (held += 8; held >= 5; held -= 5) text += kAlphabet[(bits >> (held - 5)) & 31];
  }
  if (held > 0) text += kAlphabet[(bits << (5 - held)) & 31];
  return text;
}

Result<std::vector<std::byte>> from_base32(std::string_view text, std::size_t bytes_max) {
  if (text.size() > (bytes_max * 8 + 4) / 5)
    return Error(Errc::limit, fmt::format("base 32 text of {} characters holds more than {} bytes",
                                          text.size(), bytes_max));
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() * 5 / 8);
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const int digit = digit_of(text[at]);
    if (digit < 0)
      return Error(Errc::corrupt,
                   fmt::format("character {} of {} is none of base 32 (letters and 2 to 7)", at + 1,
                               text.size()));
    bits = (bits << 5) | static_cast<std::uint32_t>(digit);
    held += 5;
    if (held >= 8) {
      held -= 8;
      bytes.push_back(static_cast<std::byte>((bits >> held) & 0xff));
    }
  }
  // What is left is padding: less than a character of it, and all zero.
  if (held >= 5 || (bits & ((1U << held) - 1)) != 0)
    return Error(Errc::corrupt, "base 32 text is cut short or has a wrong last character");
  return bytes;
}

}  // namespace drystone
