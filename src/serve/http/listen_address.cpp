#include "serve/http/listen_address.h"

#include <fmt/format.h>

namespace drystone {
using boost::asio::ip::tcp;

Result<tcp::endpoint> listen_address(const std::string& name, std::uint16_t port, bool has_keys) {
  boost::system::error_code error;
  const auto address =
      boost::asio::ip::make_address(name == "localhost" ? "127.0.0.1" : name, error);
  if (error)
    return Error(Errc::invalid_argument,
                 fmt::format("cannot listen on '{}': it is no IP address. Use 127.0.0.1, [::1], "
                             "0.0.0.0 (all of this machine) or one of its addresses.",
                             name));
  if (!address.is_loopback() && !has_keys)
    return Error(
        Errc::invalid_argument,
        fmt::format("refusing to listen on {} without a key: everyone on that network "
                    "could use this machine. Set "
                    "$DRYSTONE_API_KEY, or give --api-key-file FILE; or listen on 127.0.0.1.",
                    name));
  return tcp::endpoint(address, port);
}

}  // namespace drystone
