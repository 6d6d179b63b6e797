#include "bench/serve/load_client.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>
#include <memory>

#include "bench/serve/answer_reader.h"

namespace drystone {
namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::awaitable;
using boost::beast::error_code;

namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

std::string wire_text(const LoadTarget& target, const LoadRequest& request) {
  std::string text = request.head;
  text += fmt::format("Host: {}:{}\r\nContent-Type: application/json\r\n",
                      target.endpoint.address().to_string(), target.endpoint.port());
  if (!target.api_key.empty()) text += fmt::format("Authorization: Bearer {}\r\n", target.api_key);
  text += fmt::format("Content-Length: {}\r\nConnection: close\r\n\r\n", request.body.size());
  return text + request.body;
}

// Closes a socket when its time is over, unless it was destroyed before.
class Deadline {
 public:
  Deadline(asio::ip::tcp::socket& socket, double limit_s) : timer_(socket.get_executor()) {
    timer_.expires_after(std::chrono::microseconds(static_cast<std::int64_t>(limit_s * 1e6)));
    timer_.async_wait([&socket, over = over_, alive = std::weak_ptr(over_)](error_code error) {
      if (error || alive.use_count() < 2) return;
      *over = true;
      socket.close(error);
    });
  }
  ~Deadline() { timer_.cancel(), over_.reset(); }
  bool over() const { return *over_; }

 private:
  asio::steady_timer timer_;
  std::shared_ptr<bool> over_ = std::make_shared<bool>(false);
};

class ClientSide {
 public:
  ClientSide(const LoadTarget& target, const LoadRequest& request, const Clock& clock,
             const std::function<bool()>& stop, Exchange& out, asio::ip::tcp::socket& socket)
      : target_(target),
        request_(request),
        clock_(clock),
        stop_(stop),
        out_(out),
        socket_(socket) {}

  awaitable<std::string> run();  // "" or the kind of error

 private:
  using Parser = http::response_parser<http::buffer_body>;
  awaitable<std::string> read_body(Parser& parser);
  bool leaves() const {
    return (request_.behaviour == Behaviour::cancel &&
            out_.chunk_times_s.size() >= request_.cancel_after_tokens) ||
           stop_();
  }

  const LoadTarget& target_;
  const LoadRequest& request_;
  const Clock& clock_;
  const std::function<bool()>& stop_;
  Exchange& out_;
  asio::ip::tcp::socket& socket_;
  boost::beast::flat_buffer buffer_;
};

awaitable<std::string> ClientSide::run() {
  const auto [refused] = co_await socket_.async_connect(target_.endpoint, kAsTuple);
  if (refused) co_return "connect";
  socket_.set_option(asio::ip::tcp::no_delay(true));
  const std::string text = wire_text(target_, request_);
  const auto [unsent, sent] = co_await asio::async_write(socket_, asio::buffer(text), kAsTuple);
  if (unsent && request_.behaviour == Behaviour::normal) co_return "write";
  if (request_.behaviour == Behaviour::stalled) {
    asio::steady_timer wait(socket_.get_executor());
    wait.expires_after(
        std::chrono::milliseconds(static_cast<std::int64_t>(target_.stalled_s * 1e3)));
    co_await wait.async_wait(kAsTuple);
    co_return "";
  }
  if (request_.behaviour == Behaviour::cancel && request_.cancel_after_tokens == 0) co_return "";
  Parser parser;
  parser.body_limit(boost::none);
  const auto [unread, header_bytes] =
      co_await http::async_read_header(socket_, buffer_, parser, kAsTuple);
  if (unread) co_return unread == http::error::end_of_stream ? "closed" : "no answer";
  out_.status = parser.get().result_int();
  co_return co_await read_body(parser);
}

awaitable<std::string> ClientSide::read_body(Parser& parser) {
  const std::string_view type = parser.get()[http::field::content_type];
  AnswerReader reader(out_, type.starts_with("text/event-stream"), request_.keep_text);
  std::array<char, 16 << 10> piece;
  while (!parser.is_done()) {
    parser.get().body() = {.data = piece.data(), .size = piece.size(), .more = true};
    auto [error, bytes] = co_await http::async_read_some(socket_, buffer_, parser, kAsTuple);
    if (error == http::error::need_buffer) error = {};
    reader.take({piece.data(), piece.size() - parser.get().body().size},
                seconds(clock_.monotonic()));
    if (error) co_return "cut";
    if (leaves()) co_return "";
  }
  if (out_.status == 200) {
    reader.end();
    co_return out_.error;
  }
  co_return fmt::format("http {}", out_.status);
}

// What a refusal should be for what the client did.
std::string judge(Behaviour behaviour, int status, std::string error) {
  if (behaviour != Behaviour::bad && behaviour != Behaviour::oversized) return error;
  // 501 and 505: a coding or version of HTTP that the server does not speak.
  if ((status >= 400 && status < 500) || status == 501 || status == 505) return "";
  if (status == 0 || status == 503) return error;
  return fmt::format("{} request answered {}", to_string(behaviour), status);
}

}  // namespace

Result<asio::ip::tcp::endpoint> parse_url(const std::string& url) {
  constexpr std::string_view kHttp = "http://";
  const std::size_t colon = url.rfind(':');
  std::uint16_t port = 0;
  error_code wrong;
  if (url.starts_with(kHttp) && colon > kHttp.size()) {
    const std::string host = url.substr(kHttp.size(), colon - kHttp.size());
    const std::string rest = url.substr(colon + 1);
    std::from_chars(rest.data(), rest.data() + rest.size(), port);
    const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, wrong);
    if (!wrong && port != 0) return asio::ip::tcp::endpoint(address, port);
  }
  return Error(Errc::invalid_argument,
               fmt::format("'{}' is no address: expected http://ADDRESS:PORT", url));
}

awaitable<void> exchange(const LoadTarget& target, LoadRequest request, const Clock& clock,
                         std::function<bool()> stop, Exchange& out) {
  out.behaviour = request.behaviour;
  out.start_s = seconds(clock.monotonic());
  asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
  const Deadline deadline(socket, target.timeout_s);
  ClientSide side(target, request, clock, stop, out, socket);
  std::string error = co_await side.run();
  out.error = deadline.over() ? "timeout" : judge(out.behaviour, out.status, std::move(error));
  out.end_s = seconds(clock.monotonic());
}

Answer ask(const LoadTarget& target, const std::string& path) {
  asio::io_context loop;
  asio::ip::tcp::socket socket(loop);
  error_code error;
  if (socket.connect(target.endpoint, error)) return {};
  const LoadRequest request{.head = fmt::format("GET {} HTTP/1.1\r\n", path)};
  if (asio::write(socket, asio::buffer(wire_text(target, request)), error); error) return {};
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  if (http::read(socket, buffer, parser, error); error) return {};
  return {.status = static_cast<int>(parser.get().result_int()), .body = parser.get().body()};
}

}  // namespace drystone
