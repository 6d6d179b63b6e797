#include "serve/http/session.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "serve/http/cors.h"
#include "serve/http/exchange.h"
#include "serve/http/reply_writer.h"
#include "serve/http/request_reader.h"
#include "serve/http/timed_connection.h"

namespace drystone {
namespace asio = boost::asio;
using asio::awaitable;
using boost::system::error_code;

namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBytes = 16 << 10;

class HttpSession final : public Session {
 public:
  HttpSession(asio::ip::tcp::socket socket, SessionContext& context)
      : context_(context),
        limits_(context.limits),
        connection_(std::make_shared<TimedConnection>(
            std::move(socket), context.tls,
            std::max(limits_.read_ahead_bytes_max, limits_.header_bytes_max))) {}

  awaitable<void> run() override;
  bool waits_for_request() const override { return receiving_; }
  void close() override { connection_->close(); }

 private:
  awaitable<bool> serve_one();
  awaitable<bool> serve_traced();
  void note_over();
  awaitable<void> answer();
  awaitable<void> run_handler(const HttpHandler& handler);
  awaitable<void> watch_client();

  SessionContext& context_;
  const ServerLimits& limits_;
  const std::shared_ptr<TimedConnection> connection_;
  Exchange exchange_;
  ReplyWriter writer_{*connection_, context_, exchange_};
  bool receiving_ = true;  // no whole request has come
};

awaitable<void> HttpSession::run() {
  error_code error;
  auto& socket = connection_->stream().socket();
  socket.set_option(asio::ip::tcp::no_delay(true), error);
  const auto peer = socket.remote_endpoint(error);
  exchange_.request.client_address = error ? "" : peer.address().to_string();
  try {
    connection_->arm(limits_.header_max);
    const error_code no_tls = co_await connection_->stream().handshake();
    connection_->disarm();
    bool more = !no_tls && !context_.stopping;
    while (more) more = co_await serve_one();
    if (exchange_.replied && !exchange_.client_gone)
      co_await connection_->linger(limits_.header_max);
  } catch (const std::exception&) {
    // Out of memory, or cancelled by a stopping loop: this connection ends, the others go on.
  }
  connection_->disarm();
  close();
}

// True: the connection can take another request.
awaitable<bool> HttpSession::serve_one() {
  exchange_.request.trace = std::make_shared<RequestTrace>(
      RequestTrace{.observer = context_.observer, .clock = &context_.clock});
  const bool more = co_await serve_traced();
  note_over();
  co_return more;
}

void HttpSession::note_over() {
  const auto trace = std::exchange(exchange_.request.trace, nullptr);
  if (context_.observer == nullptr || exchange_.started_s < 0) return;
  RequestRecord& record = trace->record;
  record.client = exchange_.request.client_address;
  record.complete = exchange_.replied && !exchange_.events_open && !exchange_.client_gone;
  record.total_s = seconds(context_.clock.monotonic()) - exchange_.started_s;
  context_.observer->request_over(record);
}

awaitable<bool> HttpSession::serve_traced() {
  exchange_.begin();
  receiving_ = true;
  RequestReader reader(*connection_, context_, exchange_);
  const auto error = co_await reader.read();
  if (exchange_.started_s < 0) co_return false;  // Closed between two requests: a normal goodbye.
  receiving_ = false;
  if (!error) {
    co_await answer();
    if (!exchange_.replied || exchange_.events_open)
      co_return false;  // The answer has no end, so the connection must have one.
  } else if (!exchange_.client_gone) {
    co_await writer_.refuse(*error);
  }
  co_return exchange_.keep_alive && !exchange_.client_gone && !context_.stopping;
}

awaitable<void> HttpSession::answer() {
  const HttpRequest& request = exchange_.request;
  const std::string allowed = context_.router.allowed(request.path);
  if (request.method == "OPTIONS" && !allowed.empty()) {
    HttpReply reply = options_reply(allowed, exchange_.cors_origin);
    co_await writer_.send(std::move(reply));
    co_return;
  }
  const auto handler = context_.router.find(request.method, request.path);
  if (!handler) {
    co_await writer_.refuse(handler.error());
    co_return;
  }
  using namespace asio::experimental::awaitable_operators;
  co_await (run_handler(**handler) || watch_client());
  if (exchange_.replied || exchange_.client_gone) co_return;
  const ApiError failed{.message = "The server failed to answer this request."};
  co_await writer_.refuse(failed);
}

// Returns normally in any case, so that the `||` above ends.
awaitable<void> HttpSession::run_handler(const HttpHandler& handler) {
  try {
    co_await handler(exchange_.request, writer_);
  } catch (const std::exception&) {
    // answer() sees that there was no reply.
  }
}

// Returns when the client has left. What it sends meanwhile is kept for the next request.
awaitable<void> HttpSession::watch_client() {
  Connection& stream = connection_->stream();
  auto& buffer = connection_->buffer();
  while (buffer.size() < limits_.read_ahead_bytes_max) {
    const std::size_t room = std::min(kReadBytes, limits_.read_ahead_bytes_max - buffer.size());
    const auto [error, bytes] = co_await stream.async_read_some(buffer.prepare(room), kAsTuple);
    buffer.commit(bytes);
    if (!error) continue;
    if (error != asio::error::operation_aborted || connection_->timed_out())
      exchange_.client_gone = true;
    co_return;
  }
  asio::steady_timer forever(stream.get_executor(), asio::steady_timer::time_point::max());
  co_await forever.async_wait(kAsTuple);
}

}  // namespace

std::shared_ptr<Session> Session::make(asio::ip::tcp::socket socket, SessionContext& context) {
  return std::make_shared<HttpSession>(std::move(socket), context);
}

}  // namespace drystone
