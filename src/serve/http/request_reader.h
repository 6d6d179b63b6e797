#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

#include "serve/http/exchange.h"
#include "serve/http/session.h"
#include "serve/http/timed_connection.h"

namespace drystone {

// Counts the bytes of a request's body in the sum of all, for as long as it lives.
class BodyShare {
 public:
  explicit BodyShare(std::size_t& sum) : sum_(sum) {}  // borrowed
  BodyShare(const BodyShare&) = delete;
  ~BodyShare() { sum_ -= bytes_; }
  void grow_to(std::size_t bytes) {
    sum_ += bytes - bytes_;
    bytes_ = bytes;
  }

 private:
  std::size_t& sum_;
  std::size_t bytes_ = 0;
};

// Reads one request of a connection. Its body counts among the bodies of all requests for as long
// as the reader lives. On the loop thread; borrows all for its life.
class RequestReader {
 public:
  RequestReader(TimedConnection& connection, SessionContext& context, Exchange& exchange);

  // Waits for a request and reads it into the exchange. The refusal to send, if it is not to be
  // answered otherwise; exchange.keep_alive then says whether the next request can be found behind
  // it. When the client left before its first byte, a normal goodbye: exchange.started_s stays -1.
  boost::asio::awaitable<std::optional<ApiError>> read();

 private:
  boost::asio::awaitable<bool> wait_for_first_byte();
  boost::asio::awaitable<std::optional<ApiError>> read_header();
  boost::asio::awaitable<std::optional<ApiError>> read_body();
  ApiError read_error(boost::system::error_code error) const;

  TimedConnection& connection_;
  SessionContext& context_;
  const ServerLimits& limits_;
  Exchange& exchange_;
  boost::beast::http::request_parser<boost::beast::http::string_body> parser_;
  BodyShare share_;
};

}  // namespace drystone
