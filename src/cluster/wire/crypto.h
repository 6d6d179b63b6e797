#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace drystone::cluster {

using PublicKey = std::array<std::uint8_t, 32>;  // raw Ed25519
using Signature = std::array<std::uint8_t, 64>;  // raw Ed25519
using Digest = std::array<std::uint8_t, 32>;     // SHA-256, HMAC-SHA256
using ClusterId = std::array<std::uint8_t, 16>;  // random, made by the founder
using SecretKey = std::array<std::uint8_t, 32>;  // shared keys: discovery, invitations

// What this room needs of cryptography, with the key pair of this node. app implements it with
// src/net; tests bring a fake one. Nothing here fails: what can fail (no random source, a broken
// key file) fails where the implementation is made.
class Crypto {
 public:
  virtual ~Crypto() = default;
  virtual PublicKey public_key() const = 0;                  // of this node
  virtual Signature sign(std::string_view bytes) const = 0;  // with this node's key
  virtual bool verify(const PublicKey& key, std::string_view bytes,
                      const Signature& signature) const = 0;
  virtual Digest sha256(std::string_view bytes) const = 0;
  virtual Digest hmac_sha256(std::string_view key, std::string_view bytes) const = 0;
  virtual void random(std::span<std::uint8_t> bytes) = 0;  // fit for keys
};

// The bytes of an array or span, as the view that Crypto takes. Borrowed.
inline std::string_view bytes_of(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Equal, in a time that does not depend on the contents: for proofs and secrets.
bool equal_in_constant_time(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b);

}  // namespace drystone::cluster
