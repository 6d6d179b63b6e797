#include "serve/http/tls_identity.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <fstream>

namespace drystone {
namespace ssl = boost::asio::ssl;

namespace {

Result<void> readable(const std::string& path, const char* what) {
  std::ifstream file(path);
  if (file.is_open() && file.peek() != std::ifstream::traits_type::eof()) return {};
  return Error(Errc::io, fmt::format("cannot read the {} {}: it does not exist, is empty or may "
                                     "not be read by this user",
                                     what, path));
}

std::string why() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "no reason known" : reason;
}

// A key that is encrypted must not make the server ask a terminal that may not be there.
int no_password(char*, int, int, void*) { return 0; }

}  // namespace

Result<std::unique_ptr<ssl::context>> load_tls(const TlsFiles& files) {
  if (files.certificate.empty() || files.key.empty())
    return Error(Errc::invalid_argument,
                 fmt::format("TLS needs a certificate and its key: --{} is missing",
                             files.key.empty() ? "tls-key" : "tls-cert"));
  TRY(readable(files.certificate, "certificate file"));
  TRY(readable(files.key, "key file"));
  auto context = std::make_unique<ssl::context>(ssl::context::tls_server);
  SSL_CTX* raw = context->native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_default_passwd_cb(raw, no_password);
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(raw, files.certificate.c_str()) != 1)
    return Error(Errc::corrupt, fmt::format("{} holds no certificate in PEM that can be used ({})",
                                            files.certificate, why()));
  if (SSL_CTX_use_PrivateKey_file(raw, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    const bool mismatch = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH ||
                          ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_TYPE_MISMATCH;
    if (!mismatch)
      return Error(Errc::corrupt,
                   fmt::format("{} holds no private key in PEM that can be used ({}); an encrypted "
                               "key must be decrypted first",
                               files.key, why()));
    ERR_clear_error();
  }
  if (SSL_CTX_check_private_key(raw) != 1)
    return Error(Errc::invalid_argument,
                 fmt::format("the key {} does not belong to the certificate {}", files.key,
                             files.certificate));
  return context;
}

Result<std::unique_ptr<ssl::context>> trust_tls(const std::string& ca_file) {
  auto context = std::make_unique<ssl::context>(ssl::context::tls_client);
  SSL_CTX* raw = context->native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  context->set_verify_mode(ssl::verify_peer);
  ERR_clear_error();
  if (ca_file.empty()) {
    boost::system::error_code none;  // a system without a store trusts nobody
    context->set_default_verify_paths(none);
    return context;
  }
  TRY(readable(ca_file, "file of authorities"));
  if (SSL_CTX_load_verify_locations(raw, ca_file.c_str(), nullptr) != 1)
    return Error(Errc::corrupt, fmt::format("{} holds no certificate in PEM that can be used ({})",
                                            ca_file, why()));
  return context;
}

}  // namespace drystone
