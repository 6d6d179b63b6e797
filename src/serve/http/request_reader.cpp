#include "serve/http/request_reader.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/read.hpp>

#include "serve/http/request_head.h"

namespace drystone {
namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::awaitable;
using boost::system::error_code;

namespace {
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kFirstReadBytes = 16 << 10;
}  // namespace

RequestReader::RequestReader(TimedConnection& connection, SessionContext& context,
                             Exchange& exchange)
    : connection_(connection),
      context_(context),
      limits_(context.limits),
      exchange_(exchange),
      share_(context.body_bytes) {
  parser_.header_limit(static_cast<std::uint32_t>(limits_.header_bytes_max));
  parser_.body_limit(limits_.body_bytes_max);
}

awaitable<std::optional<ApiError>> RequestReader::read() {
  const bool begun = co_await wait_for_first_byte();
  if (!begun) {
    exchange_.keep_alive = false;
    co_return std::nullopt;
  }
  auto error = co_await read_header();
  const bool framed = !error;
  if (!error) {
    exchange_.keep_alive = parser_.keep_alive();
    error = take_head(parser_.get(), context_, exchange_);
  }
  if (!error) error = co_await read_body();
  // Where the next request begins is only known behind a body that was read.
  if (error)
    exchange_.keep_alive =
        exchange_.keep_alive && framed && parser_.is_done() && error->code != "malformed_http";
  else
    exchange_.request.body = std::move(parser_.get().body());
  co_return error;
}

awaitable<bool> RequestReader::wait_for_first_byte() {
  auto& buffer = connection_.buffer();
  if (buffer.size() == 0) {
    connection_.arm(limits_.idle_max);
    const auto [error, bytes] =
        co_await connection_.stream().async_read_some(buffer.prepare(kFirstReadBytes), kAsTuple);
    buffer.commit(bytes);
    if (error) co_return false;
  }
  exchange_.started_s = seconds(context_.clock.monotonic());
  co_return true;
}

awaitable<std::optional<ApiError>> RequestReader::read_header() {
  connection_.arm(limits_.header_max);
  const auto [error, bytes] = co_await http::async_read_header(
      connection_.stream(), connection_.buffer(), parser_, kAsTuple);
  connection_.disarm();
  if (!error) co_return std::nullopt;
  const bool broke_off =
      error == http::error::end_of_stream || error == http::error::partial_message ||
      (error.category() != http::make_error_code(http::error::bad_method).category() &&
       !connection_.timed_out());
  exchange_.client_gone = broke_off;
  co_return read_error(error);
}

awaitable<std::optional<ApiError>> RequestReader::read_body() {
  if (parser_.is_done()) co_return std::nullopt;
  const auto full = [&] { return context_.body_bytes > limits_.bodies_bytes_max; };
  ApiError busy = http_refusal(
      503, "The requests of all clients together are too large at present.", "bodies_too_large");
  busy.retry_after_s = 5;
  if (!parser_.get()[http::field::expect].empty() && !exchange_.http_1_0) {
    std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    const bool taken = co_await connection_.write(std::move(go_on), limits_.write_max,
                                                  exchange_.request.trace->record.answer_bytes);
    if (!taken) {
      exchange_.client_gone = true;
      co_return busy;
    }
  }
  connection_.arm(limits_.body_max);
  while (!parser_.is_done()) {
    const auto [error, bytes] = co_await http::async_read_some(
        connection_.stream(), connection_.buffer(), parser_, kAsTuple);
    if (error) {
      exchange_.client_gone =
          error == http::error::partial_message || error == asio::error::connection_reset;
      co_return read_error(error);
    }
    share_.grow_to(parser_.get().body().size());  // What came, not what is announced: that is free.
    if (full()) co_return busy;
  }
  connection_.disarm();
  co_return std::nullopt;
}

ApiError RequestReader::read_error(error_code error) const {
  if (connection_.timed_out())
    return http_refusal(408, "The request did not arrive in time.", "request_timeout");
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return http_refusal(
        431, fmt::format("The header is larger than {} bytes.", limits_.header_bytes_max),
        "header_too_large");
  if (error == http::error::body_limit)
    return http_refusal(413,
                        fmt::format("The body is larger than {} bytes.", limits_.body_bytes_max),
                        "body_too_large");
  if (error == http::error::bad_version)
    return http_refusal(505, "This server speaks HTTP/1.1.", "http_version");
  return http_refusal(400, fmt::format("The request is not valid HTTP: {}.", error.message()),
                      "malformed_http");
}

}  // namespace drystone
