// Any bytes as a certificate: a key that signed it, or an error.
#include <openssl/err.h>
#include <openssl/x509.h>

#include <cstdint>

#include "net/certificate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const unsigned char* at = data;
  const drystone::Certificate certificate(d2i_X509(nullptr, &at, static_cast<long>(size)));
  ERR_clear_error();
  if (certificate == nullptr) return 0;
  const auto key = drystone::key_of(*certificate);
  if (key) CHECK(drystone::node_id(*key).size() == 26);
  CHECK(ERR_peek_error() == 0);
  return 0;
}
