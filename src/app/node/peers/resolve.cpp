#include "app/node/peers/resolve.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/address_order.h"

namespace drystone {
namespace asio = boost::asio;
using asio::ip::tcp;

asio::awaitable<Result<std::vector<tcp::endpoint>>> resolve_host_port(std::string text) {
  auto parsed = parse_host_port(text);
  if (!parsed) co_return std::move(parsed).error();
  boost::system::error_code error;
  const auto address = asio::ip::make_address(parsed->host, error);
  if (!error) co_return std::vector<tcp::endpoint>{{address, parsed->port}};
  tcp::resolver resolver(co_await asio::this_coro::executor);
  const std::string port = std::to_string(parsed->port);  // by name: gcc 12 destroys it twice else
  const auto [failed, found] =
      co_await resolver.async_resolve(parsed->host, port, asio::as_tuple(asio::use_awaitable));
  if (failed)
    co_return Error(Errc::unavailable,
                    fmt::format("looking up {}: {}", parsed->host, failed.message()));
  std::vector<tcp::endpoint> endpoints;
  for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  co_return endpoints;
}

}  // namespace drystone
