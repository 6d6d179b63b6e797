#include "net/certificate.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <vector>

namespace drystone {
namespace {

std::vector<unsigned char> der(const Certificate& certificate) {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(certificate.get(), &bytes);
  std::vector<unsigned char> out(bytes, bytes + size);
  OPENSSL_free(bytes);
  return out;
}

TEST(Certificate, HoldsItsKey) {
  const NodeKey key = NodeKey::make();
  EXPECT_EQ(key_of(*make_certificate(key)).value(), key.public_key());
}

// What changes between two starts tells an onlooker something.
TEST(Certificate, IsTheSameBytesEachTime) {
  const NodeKey key = NodeKey::make();
  EXPECT_EQ(der(make_certificate(key)), der(make_certificate(key)));
  EXPECT_LT(der(make_certificate(key)).size(), 400U);
}

// Else whoever knows a member's public key, which is no secret, could show it as their own.
TEST(Certificate, OfAnotherSignerIsRefused) {
  const NodeKey member = NodeKey::make(), intruder = NodeKey::make();
  const Certificate forged = make_certificate(member);
  ASSERT_GT(X509_sign(forged.get(), intruder.handle(), nullptr), 0);
  EXPECT_TRUE(key_of(*forged).is(Errc::corrupt));
}

TEST(Certificate, OfAnotherKindOfKeyIsRefused) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  const Certificate certificate(X509_new());
  X509_set_pubkey(certificate.get(), key);
  ASSERT_GT(X509_sign(certificate.get(), key, EVP_sha256()), 0);
  EXPECT_TRUE(key_of(*certificate).is(Errc::corrupt));
  EVP_PKEY_free(key);

  const Certificate empty(X509_new());
  EXPECT_TRUE(key_of(*empty).is(Errc::corrupt));
}

}  // namespace
}  // namespace drystone
