#include "serve/http/session.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

#include "serve/http/connection.h"
#include "serve/http/reply_text.h"

namespace drystone {
namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::awaitable;
using boost::beast::error_code;

namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBytes = 16 << 10;
// What clients send from web pages, the OpenAI and Anthropic libraries' among them.
constexpr std::string_view kCorsRequestHeaders =
    "Authorization, Content-Type, X-Api-Key, OpenAI-Organization, OpenAI-Project, "
    "Anthropic-Version, Anthropic-Beta, Anthropic-Dangerous-Direct-Browser-Access, "
    "X-Stainless-Lang, X-Stainless-Package-Version, X-Stainless-OS, X-Stainless-Arch, "
    "X-Stainless-Runtime, X-Stainless-Runtime-Version, X-Stainless-Retry-Count, "
    "X-Stainless-Timeout, X-Stainless-Helper-Method";

// Counts the bytes of a request's body in the sum of all, for as long as it lives.
class BodyShare {
 public:
  explicit BodyShare(std::size_t& sum) : sum_(sum) {}
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

ApiError refusal(int status, std::string message, std::string code) {
  return {.status = status,
          .type = status < 500 ? "invalid_request_error" : "server_error",
          .message = std::move(message),
          .code = std::move(code)};
}

// A body whose end a proxy in front of us may see elsewhere: what follows it would be taken for
// another client's request.
std::optional<ApiError> unclear_framing(const http::request_header<>& header) {
  const std::size_t codings = header.count(http::field::transfer_encoding);
  if (codings == 0) return std::nullopt;
  if (header.version() < 11 || header.count(http::field::content_length) > 0)
    return refusal(400, "Transfer-Encoding cannot stand beside Content-Length, nor in HTTP/1.0.",
                   "malformed_http");
  if (codings > 1 || !boost::beast::iequals(header[http::field::transfer_encoding], "chunked"))
    return refusal(501, "The only transfer coding known here is chunked.",
                   "unknown_transfer_encoding");
  return std::nullopt;
}

class HttpSession final : public Session,
                          public ReplySink,
                          public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(asio::ip::tcp::socket socket, SessionContext& context)
      : connection_(open(std::move(socket), context)),
        context_(context),
        limits_(context.limits),
        deadline_(connection_.get_executor()),
        buffer_(std::max(context.limits.read_ahead_bytes_max, context.limits.header_bytes_max)) {}

  awaitable<void> run() override;
  bool waits_for_request() const override { return receiving_; }
  void close() override {
    error_code ignored;
    connection_.socket().close(ignored);
  }

  awaitable<bool> send(HttpReply reply) override;
  awaitable<bool> begin_events(HttpHeaders headers) override;
  awaitable<bool> write_events(std::string events) override;
  awaitable<bool> end_events() override;

 private:
  static Connection open(asio::ip::tcp::socket socket, SessionContext& context) {
    if (context.tls != nullptr) return Connection(std::move(socket), *context.tls);
    return Connection(std::move(socket));
  }
  using Parser = http::request_parser<http::string_body>;

  awaitable<bool> serve_one();
  awaitable<bool> serve_traced();
  void note_over();
  awaitable<std::optional<ApiError>> read_header(Parser& parser);
  awaitable<std::optional<ApiError>> read_body(Parser& parser, BodyShare& share);
  std::optional<ApiError> take_header(const Parser& parser);
  std::optional<ApiError> take_target(std::string_view target);
  awaitable<void> answer();
  awaitable<void> run_handler(const HttpHandler& handler);
  awaitable<void> watch_client();
  awaitable<void> refuse(const ApiError& error);
  void note_answer(int status, const HttpHeaders& headers);
  void add_cors(HttpHeaders& headers) const;
  awaitable<bool> write(std::string text);
  awaitable<void> linger();
  ApiError read_error(error_code error) const;

  // Cancels what waits on the socket when `limit` is over, and remembers it.
  void arm(std::chrono::milliseconds limit);
  void disarm() { ++armed_, deadline_.cancel(); }

  Connection connection_;
  SessionContext& context_;
  const ServerLimits& limits_;
  asio::steady_timer deadline_;
  std::uint64_t armed_ = 0;
  boost::beast::flat_buffer buffer_;
  HttpRequest request_;
  std::string cors_origin_;  // the page's that asked, where pages of it may; else ""
  bool head_ = false;        // the request is HEAD
  bool http_1_0_ = false;
  bool keep_alive_ = false;  // after the present request
  bool receiving_ = true;    // no whole request has come
  bool timed_out_ = false, client_gone_ = false;
  bool replied_ = false, events_open_ = false;
  double started_s_ = -1;  // when the present request's first byte was here
};

void HttpSession::arm(std::chrono::milliseconds limit) {
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

awaitable<void> HttpSession::run() {
  error_code error;
  connection_.socket().set_option(asio::ip::tcp::no_delay(true), error);
  const auto peer = connection_.socket().remote_endpoint(error);
  request_.client_address = error ? "" : peer.address().to_string();
  try {
    arm(limits_.header_max);
    const error_code no_tls = co_await connection_.handshake();
    disarm();
    bool more = !no_tls && !context_.stopping;
    while (more) more = co_await serve_one();
    co_await linger();
  } catch (const std::exception&) {
    // Out of memory, or cancelled by a stopping loop: this connection ends, the others go on.
  }
  disarm();
  close();
}

// True: the connection can take another request.
awaitable<bool> HttpSession::serve_one() {
  request_.trace = std::make_shared<RequestTrace>(
      RequestTrace{.observer = context_.observer, .clock = &context_.clock});
  const bool more = co_await serve_traced();
  note_over();
  co_return more;
}

void HttpSession::note_over() {
  const auto trace = std::exchange(request_.trace, nullptr);
  if (context_.observer == nullptr || started_s_ < 0) return;  // no byte of a request came
  RequestRecord& record = trace->record;
  record.client = request_.client_address;
  record.complete = replied_ && !events_open_ && !client_gone_;
  record.total_s = seconds(context_.clock.monotonic()) - started_s_;
  context_.observer->request_over(record);
}

awaitable<bool> HttpSession::serve_traced() {
  Parser parser;
  parser.header_limit(static_cast<std::uint32_t>(limits_.header_bytes_max));
  parser.body_limit(limits_.body_bytes_max);
  BodyShare share(context_.body_bytes);
  replied_ = events_open_ = client_gone_ = false;
  keep_alive_ = receiving_ = true;
  cors_origin_.clear();
  started_s_ = -1;

  auto error = co_await read_header(parser);
  if (!keep_alive_) co_return false;  // Closed between two requests: a normal goodbye.
  const bool framed = !error;
  if (!error) error = take_header(parser);
  if (!error) error = co_await read_body(parser, share);
  receiving_ = false;
  if (error) {
    // Where the next request begins is only known behind a body that was read.
    keep_alive_ = keep_alive_ && framed && parser.is_done() && error->code != "malformed_http";
    if (!client_gone_) co_await refuse(*error);
    co_return keep_alive_ && !client_gone_ && !context_.stopping;
  }
  request_.body = std::move(parser.get().body());
  co_await answer();
  if (!replied_ || events_open_)
    co_return false;  // The answer has no end, so the connection must have one.
  co_return keep_alive_ && !client_gone_ && !context_.stopping;
}

ApiError HttpSession::read_error(error_code error) const {
  if (timed_out_) return refusal(408, "The request did not arrive in time.", "request_timeout");
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return refusal(431,
                   fmt::format("The header is larger than {} bytes.", limits_.header_bytes_max),
                   "header_too_large");
  if (error == http::error::body_limit)
    return refusal(413, fmt::format("The body is larger than {} bytes.", limits_.body_bytes_max),
                   "body_too_large");
  if (error == http::error::bad_version)
    return refusal(505, "This server speaks HTTP/1.1.", "http_version");
  return refusal(400, fmt::format("The request is not valid HTTP: {}.", error.message()),
                 "malformed_http");
}

// Sets keep_alive_ to false when there is no further request.
awaitable<std::optional<ApiError>> HttpSession::read_header(Parser& parser) {
  if (buffer_.size() == 0) {
    arm(limits_.idle_max);
    const auto [error, bytes] =
        co_await connection_.async_read_some(buffer_.prepare(kReadBytes), kAsTuple);
    buffer_.commit(bytes);
    if (error) {
      keep_alive_ = false;
      co_return std::nullopt;
    }
  }
  started_s_ = seconds(context_.clock.monotonic());
  arm(limits_.header_max);
  const auto [error, bytes] =
      co_await http::async_read_header(connection_, buffer_, parser, kAsTuple);
  disarm();
  if (!error) co_return std::nullopt;
  const bool broke_off =
      error == http::error::end_of_stream || error == http::error::partial_message ||
      (error.category() != http::make_error_code(http::error::bad_method).category() &&
       !timed_out_);
  client_gone_ = broke_off;
  co_return read_error(error);
}

// What can be refused before the body is read.
std::optional<ApiError> HttpSession::take_header(const Parser& parser) {
  const auto& header = parser.get();
  head_ = header.method() == http::verb::head;
  http_1_0_ = header.version() < 11;
  request_.method = head_ ? "GET" : std::string(header.method_string());
  request_.host = header[http::field::host];
  request_.authorization = header[http::field::authorization];
  // Anthropic's clients send their key so.
  if (const auto key = header["x-api-key"]; request_.authorization.empty() && !key.empty())
    request_.authorization = "Bearer " + std::string(key);
  request_.origin = header[http::field::origin];
  request_.preflight =
      request_.method == "OPTIONS" && header.count("access-control-request-method") > 0;
  request_.body.clear();
  cors_origin_ = context_.access.allows_origin(request_.origin) ? request_.origin : "";
  keep_alive_ = parser.keep_alive();
  request_.trace->record.method = std::string(header.method_string());
  if (auto error = unclear_framing(header)) {
    keep_alive_ = false;
    return error;
  }
  const std::string_view coding = header[http::field::content_encoding];
  if (!coding.empty() && !boost::beast::iequals(coding, "identity"))
    return refusal(415, "Bodies are not unpacked here; send them without Content-Encoding.",
                   "unknown_content_encoding");
  if (auto error = take_target({header.target().data(), header.target().size()})) return error;
  request_.trace->record.path = request_.path;
  const std::size_t hosts = header.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && !http_1_0_))
    return refusal(
        400,
        hosts > 1 ? "The request has several Host headers." : "The request has no Host header.",
        "malformed_http");
  if (auto error = context_.access.refuse(request_)) return error;
  if (request_.method != "OPTIONS")
    if (const auto handler = context_.router.find(request_.method, request_.path); !handler)
      return handler.error();
  const auto expect = header[http::field::expect];
  if (!expect.empty() && !boost::beast::iequals(expect, "100-continue"))
    return refusal(417, "The only expectation known here is 100-continue.", "expectation_failed");
  return std::nullopt;
}

std::optional<ApiError> HttpSession::take_target(std::string_view target) {
  if (target == "*" && request_.method == "OPTIONS") {
    request_.path = "*";
    return std::nullopt;
  }
  const RequestTarget parts = split_target(target);
  if (!parts.authority.empty()) request_.host = parts.authority;
  auto path = decode_path(parts.path);
  if (!path) return refusal(400, path.error().message(), "malformed_http");
  request_.path = *std::move(path);
  const std::size_t mark = std::min(parts.path.find('?'), parts.path.size());
  request_.query = parts.path.substr(std::min(mark + 1, parts.path.size()));
  return std::nullopt;
}

awaitable<std::optional<ApiError>> HttpSession::read_body(Parser& parser, BodyShare& share) {
  if (parser.is_done()) co_return std::nullopt;
  const auto full = [&] { return context_.body_bytes > limits_.bodies_bytes_max; };
  ApiError busy = refusal(503, "The requests of all clients together are too large at present.",
                          "bodies_too_large");
  busy.retry_after_s = 5;
  if (!parser.get()[http::field::expect].empty() && !http_1_0_) {
    std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    const bool taken = co_await write(std::move(go_on));
    if (!taken) co_return busy;
  }
  arm(limits_.body_max);
  while (!parser.is_done()) {
    const auto [error, bytes] =
        co_await http::async_read_some(connection_, buffer_, parser, kAsTuple);
    if (error) {
      client_gone_ =
          error == http::error::partial_message || error == asio::error::connection_reset;
      co_return read_error(error);
    }
    share.grow_to(parser.get().body().size());  // What came, not what is announced: that is free.
    if (full()) co_return busy;
  }
  disarm();
  co_return std::nullopt;
}

awaitable<void> HttpSession::answer() {
  const std::string allowed = context_.router.allowed(request_.path);
  if (request_.method == "OPTIONS" && !allowed.empty()) {
    HttpReply reply{.status = 204};
    reply.headers.emplace_back("Allow", allowed);
    if (!cors_origin_.empty()) {
      reply.headers.emplace_back("Access-Control-Allow-Methods", allowed);
      reply.headers.emplace_back("Access-Control-Allow-Headers", std::string(kCorsRequestHeaders));
      reply.headers.emplace_back("Access-Control-Max-Age", "600");
    }
    co_await send(std::move(reply));
    co_return;
  }
  const auto handler = context_.router.find(request_.method, request_.path);
  if (!handler) {
    co_await refuse(handler.error());
    co_return;
  }
  using namespace asio::experimental::awaitable_operators;
  co_await (run_handler(**handler) || watch_client());
  if (replied_ || client_gone_) co_return;
  const ApiError failed{.message = "The server failed to answer this request."};
  co_await refuse(failed);
}

// Returns normally in any case, so that the `||` above ends.
awaitable<void> HttpSession::run_handler(const HttpHandler& handler) {
  try {
    co_await handler(request_, *this);
  } catch (const std::exception&) {
    // answer() sees that there was no reply.
  }
}

// Returns when the client has left. What it sends meanwhile is kept for the next request.
awaitable<void> HttpSession::watch_client() {
  while (buffer_.size() < limits_.read_ahead_bytes_max) {
    const std::size_t room = std::min(kReadBytes, limits_.read_ahead_bytes_max - buffer_.size());
    const auto [error, bytes] =
        co_await connection_.async_read_some(buffer_.prepare(room), kAsTuple);
    buffer_.commit(bytes);
    if (!error) continue;
    if (error != asio::error::operation_aborted || timed_out_) client_gone_ = true;
    co_return;
  }
  asio::steady_timer forever(connection_.get_executor(), asio::steady_timer::time_point::max());
  co_await forever.async_wait(kAsTuple);
}

awaitable<void> HttpSession::refuse(const ApiError& error) {
  HttpReply reply{.status = error.status, .body = context_.router.error_body(request_.path, error)};
  if (error.retry_after_s > 0)
    reply.headers.emplace_back("Retry-After", std::to_string(error.retry_after_s));
  if (error.status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (error.status == 405)
    reply.headers.emplace_back("Allow", context_.router.allowed(request_.path));
  co_await send(std::move(reply));
}

// Lets the web page of an allowed origin read the answer.
void HttpSession::add_cors(HttpHeaders& headers) const {
  if (cors_origin_.empty()) return;
  headers.emplace_back("Access-Control-Allow-Origin", cors_origin_);
  headers.emplace_back("Vary", "Origin");
  headers.emplace_back("Access-Control-Expose-Headers",
                       "X-Request-Id, Retry-After, Drystone-Ignored-Parameters");
}

// Of an answer's header, what the record of its request needs.
void HttpSession::note_answer(int status, const HttpHeaders& headers) {
  replied_ = true;
  request_.trace->record.status = status;
  for (const auto& [name, value] : headers)
    if (name == "X-Request-Id") request_.trace->record.id = value;
}

awaitable<bool> HttpSession::send(HttpReply reply) {
  note_answer(reply.status, reply.headers);
  add_cors(reply.headers);
  std::string text =
      reply_head(reply, {.keep_alive = keep_alive_ && !context_.stopping, .http_1_0 = http_1_0_});
  if (!head_) text += reply.body;
  co_return co_await write(std::move(text));
}

awaitable<bool> HttpSession::begin_events(HttpHeaders headers) {
  note_answer(200, headers);
  add_cors(headers);
  events_open_ = true;
  if (http_1_0_)
    keep_alive_ = false;  // No chunks there: the end of the connection ends the answer.
  std::string head = events_head(headers, {.keep_alive = keep_alive_, .http_1_0 = http_1_0_});
  co_return co_await write(std::move(head));
}

awaitable<bool> HttpSession::write_events(std::string events) {
  if (!http_1_0_) events = chunk_text(events);
  co_return co_await write(std::move(events));
}

awaitable<bool> HttpSession::end_events() {
  events_open_ = false;
  std::string last(http_1_0_ ? "" : kLastChunk);
  co_return co_await write(std::move(last));
}

awaitable<bool> HttpSession::write(std::string text) {
  // Most parts of a stream are small and are taken at once, without a deadline.
  std::size_t written = connection_.write_now(text);
  request_.trace->record.answer_bytes += written;
  while (written < text.size()) {  // Each part that the client takes gives it new time.
    arm(limits_.write_max);
    const auto [error, bytes] =
        co_await connection_.async_write_some(asio::buffer(text) + written, kAsTuple);
    disarm();
    written += bytes;
    request_.trace->record.answer_bytes += bytes;
    if (error) {
      client_gone_ = true;
      co_return false;
    }
  }
  co_return true;
}

// Closing with unread bytes would reset the connection and take our last answer with it; so read on
// for a moment.
awaitable<void> HttpSession::linger() {
  if (!replied_ || client_gone_ || !connection_.socket().is_open()) co_return;
  error_code ignored;
  std::array<char, 4096> dropped;
  constexpr std::size_t kDroppedBytesMax = 1 << 20;
  constexpr std::chrono::milliseconds kLingerMax{1000};
  arm(std::min(kLingerMax, limits_.header_max));
  co_await connection_.shut_down_sending();
  for (std::size_t total = 0; total < kDroppedBytesMax;) {
    const auto [error, bytes] =
        co_await connection_.async_read_some(asio::buffer(dropped), kAsTuple);
    if (error) break;
    total += bytes;
  }
}

}  // namespace

std::shared_ptr<Session> Session::make(asio::ip::tcp::socket socket, SessionContext& context) {
  return std::make_shared<HttpSession>(std::move(socket), context);
}

}  // namespace drystone
