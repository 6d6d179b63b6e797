#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/rng.h"
#include "cluster/wire/crypto.h"
#include "cluster/wire/hash64.h"

namespace drystone::cluster {

// Crypto for tests and simulations: quick, the same for a seed everywhere, and worth nothing
// against anybody who knows it. The key pair is made from `seed`; a signature is a hash over the
// public key and the text, so one that was altered or moved is found.
class TestCrypto final : public Crypto {
 public:
  explicit TestCrypto(std::uint64_t seed) : rng_(seed) {
    for (std::uint8_t& byte : key_) byte = static_cast<std::uint8_t>(rng_.next());
  }

  PublicKey public_key() const override { return key_; }
  Signature sign(std::string_view bytes) const override { return signature(key_, bytes); }
  bool verify(const PublicKey& key, std::string_view bytes,
              const Signature& signed_) const override {
    return signature(key, bytes) == signed_;
  }
  Digest sha256(std::string_view bytes) const override {
    Digest digest;
    fill(digest, Hash64().add("digest").add(bytes).value());
    return digest;
  }
  Digest hmac_sha256(std::string_view key, std::string_view bytes) const override {
    Digest digest;
    fill(digest, Hash64().add("hmac").add(key).add(bytes).value());
    return digest;
  }
  void random(std::span<std::uint8_t> bytes) override {
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng_.next());
  }

 private:
  static void fill(std::span<std::uint8_t> bytes, std::uint64_t seed) {
    Rng rng(seed);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.next());
  }
  static Signature signature(const PublicKey& key, std::string_view bytes) {
    Signature made;
    fill(made, Hash64().add("signature").add(bytes_of(key)).add(bytes).value());
    return made;
  }

  Rng rng_;
  PublicKey key_{};
};

}  // namespace drystone::cluster
