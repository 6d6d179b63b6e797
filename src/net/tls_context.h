#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "net/node_key.h"

using SSL_CTX = struct ssl_ctx_st;
using SSL = struct ssl_st;

namespace drystone {

// What a connection between nodes carries; the two sides settle it in the handshake (ALPN).
enum class Protocol : std::uint8_t {
  control,  // "http/1.1"
  data,     // "drystone-data/1"
};
std::string_view alpn_name(Protocol protocol);

enum class TlsSide : std::uint8_t { client, server };

// Who is on the other side of a handshake, as far as it is proved.
struct TlsPeer {
  PublicKey key;
  Protocol protocol;
  TlsSide our_side;
};

// Whether to go on with this peer. Asked once in every handshake, on whichever thread runs it, so
// it must be thread-safe and quick; its answer may change over time. A client learns of a refusal
// by the server only from its first read.
using TlsPolicy = std::function<bool(const TlsPeer&)>;

// What all TLS connections of a node share: TLS 1.3 and nothing older, both sides show a
// self-signed certificate (net/certificate.h) and prove its key, AES-128-GCM before ChaCha20,
// X25519, no compression, no tickets and no resumption: each connection is a whole handshake, so a
// key that the policy no longer takes gets no new connection. A client or server that settles on
// neither protocol is refused. Thread-safe.
class TlsContext {
 public:
  static std::unique_ptr<TlsContext> make(const NodeKey& key, TlsPolicy policy);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  const PublicKey& our_key() const { return our_key_; }

  // One connection's state machine, not yet joined to a socket; SSL_free() it. A client asks for
  // `protocol`; a server takes what the client asks for and ignores it. `policy`, if there is one,
  // is asked instead of the context's: whom one dials is often known. It must live as long as the
  // handshake. The context must outlive what it made.
  SSL* new_connection(TlsSide side, Protocol protocol, const TlsPolicy* policy = nullptr) const;

 private:
  TlsContext(const NodeKey& key, TlsPolicy policy);

  PublicKey our_key_;
  TlsPolicy policy_;
  SSL_CTX* client_ = nullptr;
  SSL_CTX* server_ = nullptr;
};

}  // namespace drystone
