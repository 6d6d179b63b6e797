#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <optional>

#include "net/certificate.h"

namespace drystone {

namespace {

constexpr std::array kProtocols = {Protocol::control, Protocol::data};
constexpr long kCertificateBytesMax = 2048;  // ours have about 300

std::optional<Protocol> protocol_named(std::string_view name) {
  for (const Protocol protocol : kProtocols)
    if (alpn_name(protocol) == name) return protocol;
  return std::nullopt;
}

// ALPN's list: each name behind a byte that counts it.
std::string alpn_entry(Protocol protocol) {
  const std::string_view name = alpn_name(protocol);
  return static_cast<char>(name.size()) + std::string(name);
}

// Where a connection keeps its own policy.
int policy_slot() {
  static const int slot = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return slot;
}

// The client's first choice that we speak.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned offered_size, void*) {
  for (unsigned at = 0; at < offered_size;) {
    const unsigned size = offered[at++];
    if (size > offered_size - at) break;
    if (protocol_named({reinterpret_cast<const char*>(offered + at), size})) {
      *out = offered + at;
      *out_size = static_cast<unsigned char>(size);
      return SSL_TLSEXT_ERR_OK;
    }
    at += size;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// Instead of all that OpenSSL would look at in a chain of certificates.
int verify_peer(X509_STORE_CTX* store, void* policy_of_context) {
  const auto* ssl = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  X509* certificate = X509_STORE_CTX_get0_cert(store);
  const STACK_OF(X509)* sent = X509_STORE_CTX_get0_untrusted(store);
  const auto refuse = [&](int why) {
    X509_STORE_CTX_set_error(store, why);
    return 0;
  };
  if (certificate == nullptr || sk_X509_num(sent) > 1)
    return refuse(X509_V_ERR_CERT_CHAIN_TOO_LONG);
  const auto key = key_of(*certificate);
  if (!key) return refuse(X509_V_ERR_CERT_SIGNATURE_FAILURE);

  const unsigned char* name = nullptr;
  unsigned name_size = 0;
  SSL_get0_alpn_selected(ssl, &name, &name_size);
  const auto protocol = protocol_named({reinterpret_cast<const char*>(name), name_size});
  if (!protocol) return refuse(X509_V_ERR_APPLICATION_VERIFICATION);

  const auto* own = static_cast<const TlsPolicy*>(SSL_get_ex_data(ssl, policy_slot()));
  const auto* shared = static_cast<const TlsPolicy*>(policy_of_context);
  const TlsPeer peer{.key = *key,
                     .protocol = *protocol,
                     .our_side = SSL_is_server(ssl) != 0 ? TlsSide::server : TlsSide::client};
  if (!(own != nullptr ? *own : *shared)(peer)) return refuse(X509_V_ERR_CERT_REJECTED);
  X509_STORE_CTX_set_error(store, X509_V_OK);
  return 1;
}

SSL_CTX* make_ssl_context(const SSL_METHOD* method, const NodeKey& key, X509* certificate,
                          TlsPolicy& policy) {
  SSL_CTX* context = SSL_CTX_new(method);
  CHECK(context != nullptr);
  const bool made = SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
                    SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
                    SSL_CTX_set_ciphersuites(
                        context, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256") == 1 &&
                    SSL_CTX_set1_groups_list(context, "X25519") == 1 &&
                    SSL_CTX_set1_sigalgs_list(context, "ed25519") == 1 &&
                    SSL_CTX_set_num_tickets(context, 0) == 1 &&
                    SSL_CTX_use_certificate(context, certificate) == 1 &&
                    SSL_CTX_use_PrivateKey(context, key.handle()) == 1;
  CHECK(made);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(context, kCertificateBytesMax);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, verify_peer, &policy);
  return context;
}

}  // namespace

std::string_view alpn_name(Protocol protocol) {
  return protocol == Protocol::control ? "http/1.1" : "drystone-data/1";
}

std::unique_ptr<TlsContext> TlsContext::make(const NodeKey& key, TlsPolicy policy) {
  CHECK(policy != nullptr);
  return std::unique_ptr<TlsContext>(new TlsContext(key, std::move(policy)));
}

TlsContext::TlsContext(const NodeKey& key, TlsPolicy policy)
    : our_key_(key.public_key()), policy_(std::move(policy)) {
  const Certificate certificate = make_certificate(key);
  client_ = make_ssl_context(TLS_client_method(), key, certificate.get(), policy_);
  server_ = make_ssl_context(TLS_server_method(), key, certificate.get(), policy_);
  SSL_CTX_set_alpn_select_cb(server_, choose_protocol, nullptr);
}

TlsContext::~TlsContext() {
  SSL_CTX_free(client_);
  SSL_CTX_free(server_);
}

SSL* TlsContext::new_connection(TlsSide side, Protocol protocol, const TlsPolicy* policy) const {
  SSL* ssl = SSL_new(side == TlsSide::client ? client_ : server_);
  CHECK(ssl != nullptr);
  if (policy != nullptr) SSL_set_ex_data(ssl, policy_slot(), const_cast<TlsPolicy*>(policy));
  if (side == TlsSide::server) {
    SSL_set_accept_state(ssl);
    return ssl;
  }
  SSL_set_connect_state(ssl);
  const std::string names = alpn_entry(protocol);
  CHECK(SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(names.data()),
                            static_cast<unsigned>(names.size())) == 0);
  return ssl;
}

}  // namespace drystone
