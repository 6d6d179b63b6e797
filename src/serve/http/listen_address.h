#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace drystone {

// Where a server is to listen: an IP address, or localhost. Errors: invalid_argument (no such
// address; beyond loopback without a key).
Result<boost::asio::ip::tcp::endpoint> listen_address(const std::string& name, std::uint16_t port,
                                                      bool has_keys);

}  // namespace drystone
