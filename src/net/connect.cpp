#include "net/connect.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <string>
#include <utility>

#include "net/address_order.h"
#include "net/dial_attempt.h"
#include "net/tls_data_stream.h"

namespace drystone {
namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kStopCheckEvery{50};
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

// Why no address will do, one reason each.
class Reasons {
 public:
  void add(const tcp::endpoint& address, const Error& error) {
    text_ +=
        fmt::format("{}{}: {}", text_.empty() ? "" : "; ", to_string(address), error.message());
  }
  Error timed_out(milliseconds within) const {
    return {Errc::unavailable, fmt::format("no address of the peer answered within {} ms{}{}",
                                           within.count(), text_.empty() ? "" : "; ", text_)};
  }
  Error all_failed() const { return {Errc::unavailable, "cannot connect to the peer: " + text_}; }

 private:
  std::string text_;
};

Result<void> check(const ConnectOptions& options) {
  if (options.addresses.empty())
    return Error(Errc::invalid_argument, "no address of the peer is known");
  return {};
}

struct Dial {
  tcp::endpoint address;
  SocketHandle socket;
  std::unique_ptr<DialAttempt> attempt;
  TlsChannel::Wait wait = TlsChannel::Wait::writable;
};

// The attempts of connect_data(), on one thread.
class Dialing {
 public:
  Dialing(const TlsContext& tls, const Clock& clock, const ConnectOptions& options)
      : tls_(tls), clock_(clock), options_(options) {
    untried_ = std::min(options.addresses.size(), ConnectOptions::kAddressesMax);
    all_ = untried_;
  }

  Result<std::unique_ptr<DataStream>> run(const std::atomic<bool>& stop);

 private:
  void start_next();
  std::unique_ptr<DataStream> step_all();
  Result<void> sleep(Clock::Nanoseconds until);

  const TlsContext& tls_;
  const Clock& clock_;
  const ConnectOptions& options_;
  std::vector<Dial> dials_;
  std::size_t all_ = 0, untried_ = 0;
  Reasons reasons_;
};

void Dialing::start_next() {
  const tcp::endpoint& address = options_.addresses[all_ - untried_--];
  auto socket = start_connecting(address, options_.from);
  if (!socket) return reasons_.add(address, socket.error());
  const int descriptor = socket->get();
  dials_.push_back({.address = address,
                    .socket = std::move(*socket),
                    .attempt = std::make_unique<DialAttempt>(
                        tls_, TlsChannel::Options{.socket = descriptor,
                                                  .side = TlsSide::client,
                                                  .protocol = Protocol::data,
                                                  .policy = options_.policy})});
}

// The first that is through, or null.
std::unique_ptr<DataStream> Dialing::step_all() {
  for (auto dial = dials_.begin(); dial != dials_.end();) {
    const auto wait = dial->attempt->step();
    if (!wait) {
      reasons_.add(dial->address, wait.error());
      dial = dials_.erase(dial);
      continue;
    }
    if (*wait == TlsChannel::Wait::none)
      return make_tls_stream(std::move(dial->socket), dial->attempt->take_channel(), clock_);
    dial->wait = *wait;
    ++dial;
  }
  return nullptr;
}

Result<void> Dialing::sleep(Clock::Nanoseconds until) {
  std::vector<pollfd> asked;
  for (const Dial& dial : dials_)
    asked.push_back(
        {.fd = dial.socket.get(),
         .events = static_cast<short>(dial.wait == TlsChannel::Wait::readable ? POLLIN : POLLOUT),
         .revents = 0});
  const auto left = std::chrono::ceil<milliseconds>(until - clock_.monotonic());
  const auto millis = std::clamp(left, milliseconds{0}, kStopCheckEvery).count();
  if (::poll(asked.data(), asked.size(), static_cast<int>(millis)) < 0 && errno != EINTR)
    return Error(Errc::io, "cannot wait for sockets");
  return {};
}

Result<std::unique_ptr<DataStream>> Dialing::run(const std::atomic<bool>& stop) {
  const Clock::Nanoseconds deadline = clock_.monotonic() + options_.within;
  Clock::Nanoseconds next_at = clock_.monotonic();
  while (true) {
    const Clock::Nanoseconds now = clock_.monotonic();
    if (stop) return Error(Errc::cancelled, "connecting was given up");
    if (now >= deadline) return reasons_.timed_out(options_.within);
    if (untried_ > 0 && (dials_.empty() || now >= next_at)) {
      start_next();
      next_at = now + options_.next_after;
    }
    if (auto stream = step_all()) return stream;
    if (dials_.empty() && untried_ == 0) return reasons_.all_failed();
    if (!dials_.empty()) TRY(sleep(untried_ > 0 ? std::min(next_at, deadline) : deadline));
  }
}

// The attempts of connect_control(): the first that is through ends the others.
struct Race {
  Race(const asio::any_io_executor& executor, const TlsContext& context, ConnectOptions given)
      : tls(context), options(std::move(given)), done(executor) {
    options.addresses.resize(std::min(options.addresses.size(), ConnectOptions::kAddressesMax));
    running = options.addresses.size();
    for (std::size_t i = 0; i < running; ++i) {
      turns.emplace_back(executor);
      turns[i].expires_after(options.next_after * static_cast<int>(i));
      sockets.emplace_back(executor);
    }
  }

  void failed(std::size_t which, const Error& error) {
    if (over) return;
    reasons.add(options.addresses[which], error);
    if (--running == 0) done.cancel();
    // It makes room for the next one.
    if (next_turn < turns.size()) turns[next_turn].cancel();
  }
  void end() {
    over = true;
    error_code ignored;
    for (auto& turn : turns) turn.cancel();
    for (auto& socket : sockets) socket.close(ignored);
  }

  const TlsContext& tls;
  ConnectOptions options;
  std::vector<asio::steady_timer> turns;
  std::vector<tcp::socket> sockets;
  std::size_t next_turn = 0, running = 0;
  bool over = false;
  asio::steady_timer done;  // fires when the time is up; cancelled when all is decided
  std::unique_ptr<PeerStream> winner;
  Reasons reasons;
};

awaitable<Result<std::unique_ptr<PeerStream>>> attempt(std::shared_ptr<Race> race,
                                                       std::size_t which) {
  const tcp::endpoint& address = race->options.addresses[which];
  tcp::socket& socket = race->sockets[which];
  auto connecting = start_connecting(address, race->options.from);
  if (!connecting) co_return std::move(connecting).error();
  error_code error;
  socket.assign(address.protocol(), connecting->get(), error);
  if (error) co_return Error(Errc::io, error.message());
  connecting->release();
  socket.native_non_blocking(true, error);
  DialAttempt attempt(race->tls, {.socket = socket.native_handle(),
                                  .side = TlsSide::client,
                                  .protocol = Protocol::control,
                                  .policy = race->options.policy});
  while (true) {
    const auto wait = attempt.step();
    if (!wait) co_return wait.error();
    if (*wait == TlsChannel::Wait::none) break;
    const auto side =
        *wait == TlsChannel::Wait::readable ? tcp::socket::wait_read : tcp::socket::wait_write;
    const auto [waited] = co_await socket.async_wait(side, kAsTuple);
    if (race->over) co_return Error(Errc::cancelled, "another address was faster");
    if (waited) co_return Error(Errc::io, waited.message());
  }
  co_return std::make_unique<PeerStream>(std::move(socket), attempt.take_channel());
}

awaitable<void> take_part(std::shared_ptr<Race> race, std::size_t which) {
  co_await race->turns[which].async_wait(kAsTuple);  // its time has come, or there is room
  if (race->over) co_return;
  race->next_turn = std::max(race->next_turn, which + 1);
  auto stream = co_await attempt(race, which);
  if (!stream) {
    race->failed(which, stream.error());
    co_return;
  }
  if (race->over) co_return;
  race->winner = std::move(*stream);
  race->done.cancel();
}

}  // namespace

TlsPolicy expect_key(const PublicKey& key) {
  return [key](const TlsPeer& peer) { return peer.key == key; };
}

Result<std::unique_ptr<DataStream>> connect_data(const TlsContext& tls, const Clock& clock,
                                                 const ConnectOptions& options,
                                                 const std::atomic<bool>& stop) {
  TRY(check(options));
  return Dialing(tls, clock, options).run(stop);
}

awaitable<Result<std::unique_ptr<PeerStream>>> connect_control(const TlsContext& tls,
                                                               ConnectOptions options) {
  if (auto checked = check(options); !checked) co_return std::move(checked).error();
  const auto executor = co_await asio::this_coro::executor;
  const auto race = std::make_shared<Race>(executor, tls, std::move(options));
  race->done.expires_after(race->options.within);
  for (std::size_t i = 0; i < race->turns.size(); ++i)
    asio::co_spawn(executor, take_part(race, i), asio::detached);
  while (!race->winner && race->running > 0) {
    const auto [cancelled] = co_await race->done.async_wait(kAsTuple);
    if (!cancelled) break;  // the time is up
  }
  race->end();
  if (race->winner) co_return std::move(race->winner);
  if (race->running == 0) co_return race->reasons.all_failed();
  co_return race->reasons.timed_out(race->options.within);
}

}  // namespace drystone
