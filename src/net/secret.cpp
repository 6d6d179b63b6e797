#include "net/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <memory>

#include "base/check.h"

namespace drystone {

namespace {

const unsigned char* read_of(std::span<const std::byte> bytes) {
  // Some of OpenSSL's functions take a null pointer for "not given".
  static const unsigned char nothing = 0;
  return bytes.empty() ? &nothing : reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* write_to(std::span<std::byte> bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

}  // namespace

void fill_random(std::span<std::byte> out) {
  if (out.empty()) return;
  CHECK(RAND_bytes(write_to(out), static_cast<int>(out.size())) == 1);
}

Digest sha256(std::span<const std::byte> message) {
  Digest digest;
  unsigned size = 0;
  CHECK(EVP_Digest(read_of(message), message.size(), write_to(digest), &size, EVP_sha256(),
                   nullptr) == 1 &&
        size == digest.size());
  return digest;
}

Digest hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> message) {
  Digest digest;
  unsigned size = 0;
  CHECK(HMAC(EVP_sha256(), read_of(key), static_cast<int>(key.size()), read_of(message),
             message.size(), write_to(digest), &size) != nullptr &&
        size == digest.size());
  return digest;
}

bool equal_in_constant_time(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && CRYPTO_memcmp(read_of(a), read_of(b), a.size()) == 0;
}

void wipe(std::span<std::byte> secret) { OPENSSL_cleanse(secret.data(), secret.size()); }

}  // namespace drystone
