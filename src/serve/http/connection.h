#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <optional>
#include <string_view>
#include <utility>

namespace drystone {

// The bytes of one connection, in the clear or through TLS; an AsyncStream as Asio and Beast mean
// it. One read and one write may be under way at once.
class Connection {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using executor_type = Socket::executor_type;

  explicit Connection(Socket socket) : socket_(std::move(socket)) {
    boost::system::error_code error;
    writes_now_ = !socket_.non_blocking(true, error);
  }
  // Borrows the context for its life; handshake() comes before all else.
  Connection(Socket socket, boost::asio::ssl::context& tls) : socket_(std::move(socket)) {
    tls_.emplace(socket_, tls);
  }
  Connection(const Connection&) = delete;  // returned by elision only

  executor_type get_executor() { return socket_.get_executor(); }
  Socket& socket() { return socket_; }
  bool encrypted() const { return tls_.has_value(); }

  // What the system takes at once, without waiting: how many of the bytes. 0 through TLS, and where
  // something is wrong, which the next write tells.
  std::size_t write_now(std::string_view bytes);

  // Does nothing in the clear.
  boost::asio::awaitable<boost::system::error_code> handshake();
  // Says that nothing more comes, if the other side listens.
  boost::asio::awaitable<void> shut_down_sending();

  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    if (tls_) return tls_->async_read_some(buffers, std::forward<Token>(token));
    return socket_.async_read_some(buffers, std::forward<Token>(token));
  }
  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    if (tls_) return tls_->async_write_some(buffers, std::forward<Token>(token));
    return socket_.async_write_some(buffers, std::forward<Token>(token));
  }

 private:
  Socket socket_;
  bool writes_now_ = false;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
};

}  // namespace drystone
