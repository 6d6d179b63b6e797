#pragma once

#include <memory>

#include "base/result.h"
#include "net/node_key.h"

using X509 = struct x509_st;

namespace drystone {

struct FreeCertificate {
  void operator()(X509* certificate) const;
};
using Certificate = std::unique_ptr<X509, FreeCertificate>;

// What a node shows in a handshake: its key in the envelope that TLS asks for, signed by itself. It
// says nothing else, never expires, and is the same bytes each time it is made of one key.
Certificate make_certificate(const NodeKey& key);

// The key that a certificate of that kind holds. Its names, dates and extensions count for nothing;
// whether the key belongs here is for others to say. Errors: corrupt (it holds another kind of key,
// or is not signed by the key that it holds).
Result<PublicKey> key_of(X509& certificate);

}  // namespace drystone
