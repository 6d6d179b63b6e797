#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace drystone {

// Hashes, keyed hashes and random bytes for keys, tags and proofs. All of it is thread-safe; that
// the library behind it fails is a CHECK.

using Digest = std::array<std::byte, 32>;

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// From the operating system's generator; fit for keys.
void fill_random(std::span<std::byte> out);

template <std::size_t kBytes>
std::array<std::byte, kBytes> random_bytes() {
  std::array<std::byte, kBytes> out;
  fill_random(out);
  return out;
}

Digest sha256(std::span<const std::byte> message);

// RFC 2104. Any length of key; fewer than 16 bytes make no secret.
Digest hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> message);

// Takes the same time wherever the difference is. Different sizes are unequal at once.
bool equal_in_constant_time(std::span<const std::byte> a, std::span<const std::byte> b);

// Zeroes that the compiler does not leave out.
void wipe(std::span<std::byte> secret);

}  // namespace drystone
