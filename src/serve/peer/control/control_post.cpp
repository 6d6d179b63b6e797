#include "serve/peer/control/control_post.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "serve/peer/control/control_protocol.h"
#include "serve/peer/control/stream_deadline.h"

namespace drystone {
namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

Error broken(const PeerStream& stream, std::string_view doing,
             const boost::system::error_code& error) {
  if (error == asio::error::connection_refused)
    return {Errc::not_found,
            fmt::format("{} does not know this node's key", stream.peer().address)};
  return {Errc::unavailable,
          fmt::format("{} {}: {}", doing, stream.peer().address,
                      error == asio::error::operation_aborted ? std::string("no answer in time")
                                                              : error.message())};
}
}  // namespace

asio::awaitable<Result<std::string>> control_post(std::shared_ptr<PeerStream> stream,
                                                  ControlPost post) {
  const StreamDeadline deadline(stream, post.within);
  http::request<http::string_body> request(http::verb::post, post.path, 11);
  request.set(http::field::host, "node");
  request.set(http::field::content_type, "application/json");
  if (post.our_port != 0) request.set(kPeerPortHeader, std::to_string(post.our_port));
  request.keep_alive(!post.last);
  request.body() = std::move(post.body);
  request.prepare_payload();
  const auto [write_error, wrote] = co_await http::async_write(*stream, request, kAsTuple);
  if (write_error) co_return broken(*stream, "writing to", write_error);

  boost::beast::flat_buffer buffer(kControlHeaderBytesMax + post.answer_bytes_max);
  http::response_parser<http::string_body> parser;
  parser.header_limit(kControlHeaderBytesMax);
  parser.body_limit(post.answer_bytes_max);
  const auto [error, bytes] = co_await http::async_read(*stream, buffer, parser, kAsTuple);
  if (error) co_return broken(*stream, "reading from", error);
  auto answer = parser.release();
  if (!post.last && !answer.keep_alive()) stream->close();
  if (http::to_status_class(answer.result()) == http::status_class::successful)
    co_return std::move(answer.body());
  co_return Error(Errc::invalid_argument, fmt::format("{} refuses: {}", stream->peer().address,
                                                      control_error_message(answer.body())));
}

}  // namespace drystone
