#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace drystone {

// The addresses behind "10.0.0.7:8399" or "name.local:8399". A name is looked up by the system,
// beside the loop. Errors: invalid_argument (no such form), unavailable (nobody knows the name).
boost::asio::awaitable<Result<std::vector<boost::asio::ip::tcp::endpoint>>> resolve_host_port(
    std::string text);

}  // namespace drystone
