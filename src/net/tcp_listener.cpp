#include "net/tcp_listener.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>
#include <map>
#include <utility>

#include "net/address_order.h"
#include "net/data_greeting.h"
#include "net/socket_handle.h"
#include "net/tls_data_stream.h"

namespace drystone {
namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kAcceptPause{100};  // when the system has no descriptors left
constexpr int kAnyPortTries = 16;

// A connection that has not proved anything yet.
struct Handshake {
  Handshake(tcp::socket connected, asio::ip::address from)
      : socket(std::move(connected)), address(std::move(from)), deadline(socket.get_executor()) {}
  void give_up() {
    error_code ignored;
    socket.close(ignored);
  }
  tcp::socket socket;
  asio::ip::address address;
  asio::steady_timer deadline;
};

class Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(asio::any_io_executor executor, const TlsContext& tls, const Clock& clock,
           PeerListener::Options options, PeerListener::Handlers handlers)
      : executor_(std::move(executor)),
        tls_(tls),
        clock_(clock),
        options_(std::move(options)),
        handlers_(std::move(handlers)) {}

  Result<void> open();
  void start() {
    for (tcp::acceptor& acceptor : acceptors_)
      asio::co_spawn(executor_, accept_loop(shared_from_this(), acceptor), asio::detached);
  }
  std::uint16_t port() const { return port_; }
  std::size_t handshakes() const { return handshakes_.size(); }
  void close();

 private:
  Result<void> bind(const asio::ip::address& address);
  Result<void> bind_all();

  // Coroutines hold the listener, so that it is there when they go on.
  static awaitable<void> accept_loop(std::shared_ptr<Listener> self, tcp::acceptor& acceptor);
  static awaitable<void> run(std::shared_ptr<Listener> self, std::shared_ptr<Handshake> handshake);
  static awaitable<std::unique_ptr<TlsChannel>> shake_hands(std::shared_ptr<Listener> self,
                                                            std::shared_ptr<Handshake> handshake);
  void begin(tcp::socket socket);
  void forget(const std::shared_ptr<Handshake>& handshake);
  void hand_over(tcp::socket socket, std::unique_ptr<TlsChannel> channel);

  asio::any_io_executor executor_;
  const TlsContext& tls_;
  const Clock& clock_;
  PeerListener::Options options_;
  PeerListener::Handlers handlers_;
  std::uint16_t port_ = 0;
  bool closed_ = false;
  std::list<tcp::acceptor> acceptors_;
  std::list<std::shared_ptr<Handshake>> handshakes_;      // under way, the oldest first
  std::map<asio::ip::address, std::size_t> per_address_;  // of handshakes_
};

Result<void> Listener::bind(const asio::ip::address& address) {
  const tcp::endpoint endpoint(address, port_);
  tcp::acceptor acceptor(executor_);
  error_code error;
  const auto failed = [&] {
    return Error(
        error == asio::error::address_in_use ? Errc::unavailable : Errc::io,
        fmt::format("cannot listen for peers on {}: {}", to_string(endpoint), error.message()));
  };
  if (acceptor.open(endpoint.protocol(), error)) return failed();
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (address.is_v6()) acceptor.set_option(asio::ip::v6_only(true), error);
  if (acceptor.bind(endpoint, error)) return failed();
  if (acceptor.listen(asio::socket_base::max_listen_connections, error)) return failed();
  port_ = acceptor.local_endpoint(error).port();
  acceptors_.push_back(std::move(acceptor));
  return {};
}

// Both families on one port. A machine may be without one of them.
Result<void> Listener::bind_all() {
  auto v6 = bind(asio::ip::address_v6::any());
  if (v6.is(Errc::unavailable)) return v6;
  auto v4 = bind(asio::ip::address_v4::any());
  if (!v4 && (!v6 || v4.is(Errc::unavailable))) return v4;
  return {};
}

Result<void> Listener::open() {
  port_ = options_.port;
  Result<void> bound;
  if (!options_.address.empty()) {
    error_code error;
    const auto address = asio::ip::make_address(options_.address, error);
    if (error)
      return Error(Errc::invalid_argument,
                   fmt::format("'{}' is no IP address to listen on", options_.address));
    bound = bind(address);
  } else {
    // A free port of one family may be taken in the other.
    for (int i = 0; i < kAnyPortTries; ++i) {
      bound = bind_all();
      if (bound || options_.port != 0) break;
      acceptors_.clear();
      port_ = 0;
    }
  }
  if (bound.is(Errc::unavailable))
    return Error(Errc::io, bound.error().message() + ". Choose another with --peer-port.");
  return bound;
}

awaitable<void> Listener::accept_loop(std::shared_ptr<Listener> self, tcp::acceptor& acceptor) {
  while (!self->closed_) {
    auto [error, socket] = co_await acceptor.async_accept(kAsTuple);
    if (self->closed_) co_return;
    if (error == asio::error::connection_aborted) continue;
    if (error) {
      asio::steady_timer pause(self->executor_, kAcceptPause);
      co_await pause.async_wait(kAsTuple);
      continue;
    }
    self->begin(std::move(socket));
  }
}

void Listener::begin(tcp::socket socket) {
  error_code error;
  const auto address = socket.remote_endpoint(error).address();
  if (error || per_address_[address] >= options_.handshakes_per_address_max) {
    if (per_address_[address] == 0) per_address_.erase(address);
    return;  // Closes it.
  }
  socket.native_non_blocking(true, error);
  if (error || !prepare_stream_socket(socket.native_handle())) return;
  // A node is through within milliseconds: who has been here longest is most likely a stranger that
  // says nothing.
  if (handshakes_.size() >= options_.handshakes_max) {
    const auto oldest = handshakes_.front();
    oldest->give_up();
    forget(oldest);
  }
  ++per_address_[address];
  auto handshake = std::make_shared<Handshake>(std::move(socket), address);
  handshakes_.push_back(handshake);
  asio::co_spawn(executor_, run(shared_from_this(), handshake), asio::detached);
}

void Listener::forget(const std::shared_ptr<Handshake>& handshake) {
  const auto at = std::find(handshakes_.begin(), handshakes_.end(), handshake);
  if (at == handshakes_.end()) return;  // It had to make room.
  handshakes_.erase(at);
  if (--per_address_[handshake->address] == 0) per_address_.erase(handshake->address);
}

awaitable<void> Listener::run(std::shared_ptr<Listener> self,
                              std::shared_ptr<Handshake> handshake) {
  auto channel = co_await shake_hands(self, handshake);
  handshake->deadline.cancel();
  self->forget(handshake);
  if (channel && !self->closed_) self->hand_over(std::move(handshake->socket), std::move(channel));
}

// The channel, or null: strangers and those who are too slow get no further.
awaitable<std::unique_ptr<TlsChannel>> Listener::shake_hands(std::shared_ptr<Listener> self,
                                                             std::shared_ptr<Handshake> handshake) {
  handshake->deadline.expires_after(self->options_.handshake_within);
  handshake->deadline.async_wait([handshake](error_code error) {
    if (!error) handshake->give_up();
  });
  auto channel = std::make_unique<TlsChannel>(
      self->tls_,
      TlsChannel::Options{.socket = handshake->socket.native_handle(), .side = TlsSide::server});
  while (true) {
    const auto wait = channel->handshake();
    if (!wait) co_return nullptr;
    if (*wait == TlsChannel::Wait::none) co_return channel;
    const auto side =
        *wait == TlsChannel::Wait::readable ? tcp::socket::wait_read : tcp::socket::wait_write;
    const auto [error] = co_await handshake->socket.async_wait(side, kAsTuple);
    if (error || !handshake->socket.is_open()) co_return nullptr;
  }
}

void Listener::hand_over(tcp::socket socket, std::unique_ptr<TlsChannel> channel) {
  if (!socket.is_open()) return;
  if (channel->protocol() == Protocol::control) {
    handlers_.on_control(std::make_unique<PeerStream>(std::move(socket), std::move(channel)));
    return;
  }
  // The socket has sent nothing but its handshake, so there is room.
  const auto greeted = channel->write_some(std::span(&kDataGreeting, 1));
  if (!greeted || greeted->wait != TlsChannel::Wait::none) return;
  error_code error;
  SocketHandle handle(socket.release(error));
  if (error) return;
  handlers_.on_data(make_tls_stream(std::move(handle), std::move(channel), clock_));
}

void Listener::close() {
  if (closed_) return;
  closed_ = true;
  error_code ignored;
  for (tcp::acceptor& acceptor : acceptors_) acceptor.close(ignored);
  for (const auto& handshake : handshakes_) {
    handshake->deadline.cancel();
    handshake->give_up();
  }
}

// What callers hold: its end closes, while coroutines that are under way keep the rest alive.
class ListenerOwner final : public PeerListener {
 public:
  explicit ListenerOwner(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {}
  ~ListenerOwner() override { listener_->close(); }
  std::uint16_t port() const override { return listener_->port(); }
  std::size_t handshakes() const override { return listener_->handshakes(); }
  void close() override { listener_->close(); }

 private:
  std::shared_ptr<Listener> listener_;
};

}  // namespace

Result<std::unique_ptr<PeerListener>> PeerListener::listen(asio::any_io_executor executor,
                                                           const TlsContext& tls,
                                                           const Clock& clock, Options options,
                                                           Handlers handlers) {
  CHECK(handlers.on_control != nullptr && handlers.on_data != nullptr);
  auto listener = std::make_shared<Listener>(std::move(executor), tls, clock, std::move(options),
                                             std::move(handlers));
  TRY(listener->open());
  listener->start();
  return std::unique_ptr<PeerListener>(std::make_unique<ListenerOwner>(std::move(listener)));
}

}  // namespace drystone
