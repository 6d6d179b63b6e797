#include "app/node/peers/fixed_peers.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>

#include "app/node/peers/resolve.h"
#include "net/connect.h"

namespace drystone {
namespace asio = boost::asio;
using asio::ip::tcp;

struct FixedPeers::Shared {
  const TlsContext& tls;
  Handlers handlers;
  bool closed = false;
  std::list<asio::steady_timer> timers = {};

  static asio::awaitable<void> ask(std::shared_ptr<Shared> self, std::string peer,
                                   asio::steady_timer& timer);
};

asio::awaitable<void> FixedPeers::Shared::ask(std::shared_ptr<Shared> self, std::string peer,
                                              asio::steady_timer& timer) {
  while (!self->closed) {
    const auto addresses = co_await resolve_host_port(peer);
    if (addresses) {
      for (const tcp::endpoint& address : *addresses) {
        if (self->closed) co_return;
        if (self->handlers.is_settled(address)) continue;
        ConnectOptions options;
        options.addresses.push_back(address);
        const auto stream = co_await connect_control(self->tls, std::move(options));
        if (self->closed) co_return;
        if (stream) self->handlers.found((*stream)->peer_key(), address);
      }
    }
    if (self->closed) co_return;
    timer.expires_after(kAskEvery);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

FixedPeers::FixedPeers(const asio::any_io_executor& executor, const TlsContext& tls,
                       const std::vector<std::string>& peers, Handlers handlers)
    : shared_(std::make_shared<Shared>(Shared{.tls = tls, .handlers = std::move(handlers)})) {
  for (const std::string& peer : peers) {
    if (shared_->timers.size() == kPeersMax) break;
    asio::steady_timer& timer = shared_->timers.emplace_back(executor);
    asio::co_spawn(executor, Shared::ask(shared_, peer, timer), asio::detached);
  }
}

FixedPeers::~FixedPeers() {
  shared_->closed = true;
  for (auto& timer : shared_->timers) timer.cancel();
}

}  // namespace drystone
