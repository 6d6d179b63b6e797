#include "serve/http/timed_connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace drystone {
namespace asio = boost::asio;
using asio::awaitable;
using boost::system::error_code;

namespace {
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
}

Connection TimedConnection::open(Connection::Socket socket, asio::ssl::context* tls) {
  if (tls != nullptr) return Connection(std::move(socket), *tls);
  return Connection(std::move(socket));
}

TimedConnection::TimedConnection(Connection::Socket socket, asio::ssl::context* tls,
                                 std::size_t read_ahead_bytes_max)
    : connection_(open(std::move(socket), tls)),
      deadline_(connection_.get_executor()),
      buffer_(read_ahead_bytes_max) {}

void TimedConnection::arm(std::chrono::milliseconds limit) {
  deadline_.expires_after(limit);
  timed_out_ = false;
  deadline_.async_wait([weak = weak_from_this(), mine = ++armed_](error_code error) {
    const auto self = weak.lock();
    if (error || self == nullptr || self->armed_ != mine) return;
    self->timed_out_ = true;
    error_code ignored;
    self->connection_.socket().cancel(ignored);
  });
}

awaitable<bool> TimedConnection::write(std::string text, std::chrono::milliseconds limit,
                                       std::uint64_t& written) {
  // Most parts of a stream are small and are taken at once, without a deadline.
  std::size_t at = connection_.write_now(text);
  written += at;
  while (at < text.size()) {
    arm(limit);
    const auto [error, bytes] =
        co_await connection_.async_write_some(asio::buffer(text) + at, kAsTuple);
    disarm();
    at += bytes;
    written += bytes;
    if (error) co_return false;
  }
  co_return true;
}

awaitable<void> TimedConnection::linger(std::chrono::milliseconds limit) {
  if (!connection_.socket().is_open()) co_return;
  std::array<char, 4096> dropped;
  constexpr std::size_t kDroppedBytesMax = 1 << 20;
  constexpr std::chrono::milliseconds kLingerMax{1000};
  arm(std::min(kLingerMax, limit));
  co_await connection_.shut_down_sending();
  for (std::size_t total = 0; total < kDroppedBytesMax;) {
    const auto [error, bytes] =
        co_await connection_.async_read_some(asio::buffer(dropped), kAsTuple);
    if (error) break;
    total += bytes;
  }
}

void TimedConnection::close() {
  error_code ignored;
  connection_.socket().close(ignored);
}

}  // namespace drystone
