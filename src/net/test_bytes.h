#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/rng.h"

namespace drystone {

// For tests: the bytes that "0a1B" spells.
inline std::vector<std::byte> from_hex(std::string_view text) {
  const auto digit = [](char letter) {
    return letter <= '9' ? letter - '0' : (letter | 0x20) - 'a' + 10;
  };
  CHECK(text.size() % 2 == 0, text.size());
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < text.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(digit(text[i]) * 16 + digit(text[i + 1])));
  return bytes;
}

// For tests: bytes that tell where they come from.
inline std::vector<std::byte> pattern(std::size_t size, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(rng.next() & 0xff);
  return bytes;
}

}  // namespace drystone
