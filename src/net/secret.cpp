#include "net/secret.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
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

void hkdf_sha256(std::span<const std::byte> secret, std::span<const std::byte> salt,
                 std::string_view purpose, std::span<std::byte> out) {
  CHECK(!out.empty() && out.size() <= 255 * sizeof(Digest), out.size());
  const std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kdf(
      EVP_KDF_fetch(nullptr, "HKDF", nullptr), EVP_KDF_free);
  CHECK(kdf != nullptr);
  const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(
      EVP_KDF_CTX_new(kdf.get()), EVP_KDF_CTX_free);
  CHECK(context != nullptr);
  char digest[] = "SHA256";
  // The parameters are only read; their type does not say so.
  const auto octets = [](const char* name, std::span<const std::byte> bytes) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<unsigned char*>(read_of(bytes)),
                                             bytes.size());
  };
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      octets(OSSL_KDF_PARAM_KEY, secret), octets(OSSL_KDF_PARAM_SALT, salt),
      octets(OSSL_KDF_PARAM_INFO, bytes_of(purpose)), OSSL_PARAM_construct_end()};
  CHECK(EVP_KDF_derive(context.get(), write_to(out), out.size(), parameters) == 1);
}

bool equal_in_constant_time(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && CRYPTO_memcmp(read_of(a), read_of(b), a.size()) == 0;
}

void wipe(std::span<std::byte> secret) { OPENSSL_cleanse(secret.data(), secret.size()); }

}  // namespace drystone
