#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <span>
#include <vector>

#include "base/result.h"
#include "net/interfaces.h"

namespace drystone {

// The addresses of one peer without repetitions, the most promising first: reached directly before
// behind a router; then by kind (loopback, thunderbolt, cable, virtual, unknown, wifi) and speed.
// Among equals the given order stays. A guess to begin with: links are measured.
std::vector<boost::asio::ip::tcp::endpoint> fast_addresses_first(
    std::vector<boost::asio::ip::tcp::endpoint> addresses, std::span<const Interface> interfaces);

// "10.0.0.7:8399", "[fe80::1%eth0]:8399", "name.local:8399" as host and port. The host is not
// looked up. Errors: invalid_argument (no port, port 0 or above 65535, no host, longer than 255
// bytes).
struct HostPort {
  std::string host;
  std::uint16_t port;
};
Result<HostPort> parse_host_port(std::string_view text);
std::string to_string(const boost::asio::ip::tcp::endpoint& endpoint);

}  // namespace drystone
