#include "net/certificate.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

namespace drystone {

void FreeCertificate::operator()(X509* certificate) const { X509_free(certificate); }

Certificate make_certificate(const NodeKey& key) {
  Certificate certificate(X509_new());
  X509* raw = certificate.get();
  CHECK(raw != nullptr);
  X509_NAME* name = X509_get_subject_name(raw);
  // An issuer must have a name. The dates are the widest that RFC 5280 has: a node whose clock is
  // wrong can still be talked to.
  const bool made =
      X509_set_version(raw, X509_VERSION_3) == 1 &&
      ASN1_INTEGER_set(X509_get_serialNumber(raw), 1) == 1 &&
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>("node"), -1, -1, 0) == 1 &&
      X509_set_issuer_name(raw, name) == 1 &&
      ASN1_TIME_set_string_X509(X509_getm_notBefore(raw), "19700101000000Z") == 1 &&
      ASN1_TIME_set_string_X509(X509_getm_notAfter(raw), "99991231235959Z") == 1 &&
      X509_set_pubkey(raw, key.handle()) == 1 && X509_sign(raw, key.handle(), nullptr) > 0;
  CHECK(made);
  return certificate;
}

Result<PublicKey> key_of(X509& certificate) {
  PublicKey key;
  std::size_t size = key.raw.size();
  EVP_PKEY* handle = X509_get0_pubkey(&certificate);
  const bool good = handle != nullptr && EVP_PKEY_get_base_id(handle) == EVP_PKEY_ED25519 &&
                    EVP_PKEY_get_raw_public_key(
                        handle, reinterpret_cast<unsigned char*>(key.raw.data()), &size) == 1 &&
                    size == key.raw.size() && X509_verify(&certificate, handle) == 1;
  if (good) return key;
  ERR_clear_error();
  return Error(Errc::corrupt, "the certificate is none of an Ed25519 key that signed itself");
}

}  // namespace drystone
