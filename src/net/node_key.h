#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

using EVP_PKEY = struct evp_pkey_st;

namespace drystone {

// An Ed25519 public key, RFC 8032: who a node is. A value.
struct PublicKey {
  static constexpr std::size_t kBytes = 32;
  std::array<std::byte, kBytes> raw = {};
  friend auto operator<=>(const PublicKey&, const PublicKey&) = default;
};

// The name of a key: base 32 (base/base32.h) of the first 16 bytes of its SHA-256; 26 characters.
std::string node_id(const PublicKey& key);

using Signature = std::array<std::byte, 64>;

// Whether `signature` of `message` was made with the private half of `key`. Any bytes may be asked.
bool verify(const PublicKey& key, std::span<const std::byte> message, const Signature& signature);

// A node's key pair. Moves, does not copy: the private half exists once. The const functions are
// thread-safe.
class NodeKey {
 public:
  static NodeKey make();

  // The private key of a PEM file (PKCS#8, not encrypted). Errors name the file: not_found, io (it
  // cannot be read, or others than its owner may read it), corrupt (no Ed25519 key in PEM).
  static Result<NodeKey> load(const std::filesystem::path& file);

  // Writes such a file with mode 0600, whole or not at all; an older one is replaced. Its folder
  // must exist. Errors: io, with the file's name; an older file then stays as it was.
  Result<void> save(const std::filesystem::path& file) const;

  // The key of `file`; where there is no such file, a new key that is saved there first. Errors: as
  // load() without not_found, and as save().
  static Result<NodeKey> load_or_make(const std::filesystem::path& file);

  const PublicKey& public_key() const { return public_key_; }
  Signature sign(std::span<const std::byte> message) const;

  // Lent for the object's life.
  EVP_PKEY* handle() const { return key_.get(); }

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const;
  };
  using Handle = std::unique_ptr<EVP_PKEY, Free>;
  explicit NodeKey(Handle key);

  Handle key_;
  PublicKey public_key_;
};

}  // namespace drystone
