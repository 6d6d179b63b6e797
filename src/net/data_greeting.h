#pragma once

#include <cstddef>

namespace drystone {

// The first byte that the listening side of a data connection sends: "your key is taken". In
// TLS 1.3 a client is done with its handshake before the server has looked at the client's
// certificate.
constexpr std::byte kDataGreeting{1};

}  // namespace drystone
