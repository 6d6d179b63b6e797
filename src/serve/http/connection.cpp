#include "serve/http/connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace drystone {
namespace asio = boost::asio;

namespace {
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
}

asio::awaitable<boost::system::error_code> Connection::handshake() {
  if (!tls_) co_return boost::system::error_code();
  const auto [error] = co_await tls_->async_handshake(asio::ssl::stream_base::server, kAsTuple);
  co_return error;
}

std::size_t Connection::write_now(std::string_view bytes) {
  if (!writes_now_) return 0;
  boost::system::error_code not_now;
  return socket_.write_some(asio::buffer(bytes), not_now);
}

asio::awaitable<void> Connection::shut_down_sending() {
  // TLS's goodbye waits for the other side's; the caller's deadline ends that.
  if (tls_) co_await tls_->async_shutdown(kAsTuple);
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

}  // namespace drystone
