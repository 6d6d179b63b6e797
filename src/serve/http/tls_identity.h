#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "base/result.h"

namespace drystone {

// What a server shows to its clients: files in PEM.
struct TlsFiles {
  std::string certificate;  // the server's own first, then what leads to a known authority
  std::string key;          // not encrypted
  bool empty() const { return certificate.empty() && key.empty(); }
};

// TLS 1.2 and 1.3, with the ciphers that OpenSSL thinks good. Errors: invalid_argument (one file
// without the other; the key is not the certificate's), io (a file cannot be read), corrupt (a file
// holds no certificate or no key).
Result<std::unique_ptr<boost::asio::ssl::context>> load_tls(const TlsFiles& files);

// For a client that checks whom it speaks to: by the authorities of this system, or by those in
// `ca_file` alone (PEM; a server's own certificate is one, too); "": the system's. Whose name has
// to be in the certificate is for each connection to say. Errors: io, corrupt (the file).
Result<std::unique_ptr<boost::asio::ssl::context>> trust_tls(const std::string& ca_file);

}  // namespace drystone
