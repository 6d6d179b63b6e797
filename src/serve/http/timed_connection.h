#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "serve/http/connection.h"

namespace drystone {

// A connection on which no wait is without end, and what was read of it ahead. Held by a shared_ptr
// alone. On the loop thread.
class TimedConnection : public std::enable_shared_from_this<TimedConnection> {
 public:
  // `tls` is borrowed for its life; null: in the clear.
  TimedConnection(Connection::Socket socket, boost::asio::ssl::context* tls,
                  std::size_t read_ahead_bytes_max);

  Connection& stream() { return connection_; }
  boost::beast::flat_buffer& buffer() { return buffer_; }  // read, and not used yet

  // When `limit` is over, whatever waits on the socket is cancelled, and timed_out() is true. One
  // limit at a time: a new one takes the place of the last.
  void arm(std::chrono::milliseconds limit);
  void disarm() { ++armed_, deadline_.cancel(); }
  bool timed_out() const { return timed_out_; }

  // Each part that the client takes gives it `limit` again. Adds what it took to `written`. False:
  // it is gone, or too slow.
  boost::asio::awaitable<bool> write(std::string text, std::chrono::milliseconds limit,
                                     std::uint64_t& written);
  // Says goodbye. Closing with unread bytes would reset the connection and take our last answer
  // with it; so it reads on for a moment.
  boost::asio::awaitable<void> linger(std::chrono::milliseconds limit);
  void close();

 private:
  static Connection open(Connection::Socket socket, boost::asio::ssl::context* tls);

  Connection connection_;
  boost::asio::steady_timer deadline_;
  std::uint64_t armed_ = 0;
  bool timed_out_ = false;
  boost::beast::flat_buffer buffer_;
};

}  // namespace drystone
