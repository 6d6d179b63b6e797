#include "serve/http/server.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <map>
#include <new>
#include <set>

#include "serve/http/health.h"
#include "serve/http/listen_address.h"
#include "serve/http/model_host.h"
#include "serve/http/reply_text.h"
#include "serve/http/session.h"

namespace drystone {
namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kAcceptPause{
    100};  // when the system is out of file descriptors

class HttpServer final : public Server {
 public:
  HttpServer(ServerOptions options, ApiKeys keys, std::unique_ptr<asio::ssl::context> tls,
             const Clock& clock)
      : options_(std::move(options)),
        clock_(clock),
        access_(std::move(keys), options_.cors_origins),
        tls_(std::move(tls)),
        host_(clock, options_.needs_model) {
    if (!options_.model_names.empty()) CHECK(host_.add(options_.model_names).has_value());
    const EndpointsContext lent{.loop = loop_.get_executor(),
                                .host = host_,
                                .access = access_,
                                .limits = options_.limits,
                                .clock = clock};
    endpoints_.push_back(health_endpoint(lent));
    for (const EndpointsFactory& make : options_.endpoints) endpoints_.push_back(make(lent));
    for (const auto& endpoints : endpoints_) endpoints->add_to(router_);
  }
  ~HttpServer() override { host_.close(); }

  Result<void> bind(const tcp::endpoint& endpoint);
  std::string url() const override;
  void run() override;
  ModelHost& models() override { return host_; }
  void set_progress(double done) override { host_.set_progress(options_.model_names.at(0), done); }
  void set_model(std::shared_ptr<ServedModel> model) override {
    host_.set_ready(options_.model_names.at(0), std::move(model));
  }
  void stop() override {
    asio::post(loop_, [this] { begin_stop(); });
  }

 private:
  class OpenConnection;

  awaitable<void> accept_loop();
  awaitable<bool> accept_one();
  awaitable<void> pause();
  awaitable<void> serve(tcp::socket socket, std::string client);
  void refuse_connection(tcp::socket socket);
  std::size_t connections_of(const std::string& client) const {
    const auto known = per_client_.find(client);
    return known == per_client_.end() ? 0 : known->second;
  }
  awaitable<void> watch_signals();
  void begin_stop();
  void end_now();

  // Destroyed from the bottom: first the endpoints and the model's thread, last the loop that they
  // post to.
  asio::io_context loop_{1};
  ServerOptions options_;
  const Clock& clock_;
  AccessRules access_;
  std::unique_ptr<asio::ssl::context> tls_;  // null: in the clear
  Router router_;
  ModelHost host_;
  std::vector<std::unique_ptr<Endpoints>> endpoints_;
  SessionContext context_{.limits = options_.limits,
                          .access = access_,
                          .router = router_,
                          .clock = clock_,
                          .observer = options_.observer,
                          .tls = tls_.get()};
  tcp::acceptor acceptor_{loop_};
  asio::signal_set signals_{loop_};
  asio::steady_timer grace_{loop_};
  std::set<std::shared_ptr<Session>> sessions_;
  std::map<std::string, std::size_t> per_client_;  // connections by address
};

Result<void> HttpServer::bind(const tcp::endpoint& endpoint) {
  const auto failed = [&](const char* doing, const error_code& error) {
    const std::string at = fmt::format("{}:{}", options_.address, endpoint.port());
    if (error == asio::error::address_in_use)
      return Error(
          Errc::io,
          fmt::format("cannot listen on {}: the port is in use by another program. Choose another "
                      "with {} {}:PORT, or port 0 for any free one.",
                      at, options_.address_flag, options_.address));
    return Error(Errc::io, fmt::format("cannot listen on {}: {}: {}", at, doing, error.message()));
  };
  error_code error;
  if (acceptor_.open(endpoint.protocol(), error)) return failed("opening a socket", error);
  acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (acceptor_.bind(endpoint, error)) return failed("binding", error);
  if (acceptor_.listen(asio::socket_base::max_listen_connections, error))
    return failed("listening", error);
  return {};
}

std::string HttpServer::url() const {
  error_code ignored;
  const auto endpoint = acceptor_.local_endpoint(ignored);
  std::string address = endpoint.address().to_string();
  if (endpoint.address().is_v6()) address = fmt::format("[{}]", address);
  return fmt::format("{}://{}:{}", tls_ ? "https" : "http", address, endpoint.port());
}

void HttpServer::run() {
  asio::co_spawn(loop_, accept_loop(), asio::detached);
  if (options_.stop_on_signals) {
    signals_.add(SIGINT);
    signals_.add(SIGTERM);
    asio::co_spawn(loop_, watch_signals(), asio::detached);
  }
  while (true) {
    try {
      loop_.run();
      return;
    } catch (const std::bad_alloc&) {
      // What ran had no memory to go on; the others have what they need.
    }
  }
}

awaitable<void> HttpServer::accept_loop() {
  bool more = true;
  while (more && acceptor_.is_open()) {
    bool out_of_memory = false;
    try {
      more = co_await accept_one();
    } catch (const std::bad_alloc&) {
      out_of_memory = true;
    }
    if (out_of_memory) co_await pause();
  }
}

awaitable<void> HttpServer::pause() {
  asio::steady_timer pause(loop_, kAcceptPause);
  co_await pause.async_wait(kAsTuple);
}

// False: no more are taken.
awaitable<bool> HttpServer::accept_one() {
  auto [error, socket] = co_await acceptor_.async_accept(kAsTuple);
  if (error == asio::error::operation_aborted || context_.stopping) co_return false;
  if (error) {
    co_await pause();
    co_return true;
  }
  error_code gone;
  const std::string client = socket.remote_endpoint(gone).address().to_string();
  if (sessions_.size() >= options_.limits.connections_max ||
      connections_of(client) >= options_.limits.connections_per_client_max)
    refuse_connection(std::move(socket));
  else
    asio::co_spawn(loop_, serve(std::move(socket), client), asio::detached);
  co_return true;
}

// One attempt: who does not take these few bytes at once gets nothing.
void HttpServer::refuse_connection(tcp::socket socket) {
  const ApiError busy{.status = 503,
                      .message = "The server has too many connections; try again later.",
                      .code = "too_many_connections"};
  const HttpReply reply{.status = 503, .body = to_json(busy), .headers = {{"Retry-After", "5"}}};
  if (options_.observer != nullptr) options_.observer->connection_refused();
  if (tls_) return;  // it could not read this, and a handshake is what we cannot afford
  error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(asio::buffer(reply_head(reply, {.keep_alive = false}) + reply.body), ignored);
  socket.shutdown(tcp::socket::shutdown_send, ignored);
}

// Counts a connection while it lives, however it ends.
class HttpServer::OpenConnection {
 public:
  OpenConnection(HttpServer& server, std::string client, std::shared_ptr<Session> session)
      : server_(server), client_(std::move(client)), session_(std::move(session)) {
    const auto known = server_.per_client_.try_emplace(client_, 0).first;
    server_.sessions_.insert(session_);
    ++known->second;
    if (server_.options_.observer != nullptr) server_.options_.observer->connection_opened();
  }
  OpenConnection(const OpenConnection&) = delete;
  ~OpenConnection() {
    server_.sessions_.erase(session_);
    const auto known = server_.per_client_.find(client_);
    if (--known->second == 0) server_.per_client_.erase(known);
    if (server_.options_.observer != nullptr) server_.options_.observer->connection_closed();
  }

 private:
  HttpServer& server_;
  const std::string client_;
  const std::shared_ptr<Session> session_;
};

awaitable<void> HttpServer::serve(tcp::socket socket, std::string client) {
  const auto session = Session::make(std::move(socket), context_);
  {
    const OpenConnection open(*this, std::move(client), session);
    co_await session->run();
  }
  if (context_.stopping && sessions_.empty()) end_now();
}

awaitable<void> HttpServer::watch_signals() {
  if (context_.stopping) co_return;  // Asked before the loop ran.
  const auto [error, signal] = co_await signals_.async_wait(kAsTuple);
  if (error) co_return;
  begin_stop();
  if (sessions_.empty()) co_return;
  const auto [again_error, again] = co_await signals_.async_wait(kAsTuple);
  if (!again_error) end_now();
}

void HttpServer::begin_stop() {
  if (context_.stopping) return;
  context_.stopping = true;
  error_code ignored;
  acceptor_.close(ignored);
  for (const auto& session : sessions_)
    if (session->waits_for_request()) session->close();
  if (sessions_.empty()) return end_now();
  grace_.expires_after(options_.limits.stop_grace);
  grace_.async_wait([this](error_code error) {
    if (!error) end_now();
  });
}

// Cancels what runs; its clients are told. Who does not take the news within a moment is cut off.
void HttpServer::end_now() {
  constexpr std::chrono::milliseconds kGoodbyeMax{1000};
  host_.close();
  signals_.cancel();
  if (sessions_.empty()) {
    grace_.cancel();
    return;
  }
  grace_.expires_after(kGoodbyeMax);
  grace_.async_wait([this](error_code error) {
    if (error) return;
    for (const auto& session : sessions_) session->close();
  });
}

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(ServerOptions options, const Clock& clock) {
  const tcp::endpoint endpoint =
      TRY(listen_address(options.address, options.port, !options.api_keys.empty()));
  ApiKeys keys = TRY(ApiKeys::from_lines(options.api_keys));
  std::unique_ptr<asio::ssl::context> tls;
  if (!options.tls.empty()) tls = TRY(load_tls(options.tls));
  auto server =
      std::make_unique<HttpServer>(std::move(options), std::move(keys), std::move(tls), clock);
  if (auto bound = server->bind(endpoint); !bound) return std::move(bound).error();
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace drystone
