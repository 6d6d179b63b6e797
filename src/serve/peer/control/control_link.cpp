#include "serve/peer/control/control_link.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <optional>

#include "net/address_order.h"
#include "net/connect.h"
#include "serve/peer/control/control_post.h"
#include "serve/peer/control/control_protocol.h"

namespace drystone {
namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
using std::chrono::milliseconds;

namespace {
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
}

struct ControlLink::Shared {
  struct Waiting {
    std::string text;
    Clock::Nanoseconds since;
  };

  Shared(asio::any_io_executor executor, const TlsContext& context, const Clock& time,
         Options given)
      : tls(context), clock(time), options(std::move(given)), wake(executor) {}

  void drop_old() {
    while (!queue.empty() && clock.monotonic() - queue.front().since > kMessageAgeMax) pop();
  }
  void pop() {
    bytes -= queue.front().text.size();
    queue.pop_front();
  }
  void report(const std::optional<tcp::endpoint>& address, bool worked) {
    if (!closed && address) options.report(*address, worked);
  }

  awaitable<void> run(std::shared_ptr<Shared> self);
  awaitable<bool> connect();
  awaitable<bool> send_first();
  awaitable<bool> sleep(milliseconds at_most);

  const TlsContext& tls;
  const Clock& clock;
  const Options options;
  asio::steady_timer wake;
  std::deque<Waiting> queue;
  std::size_t bytes = 0;
  bool closed = false, in_flight = false;
  std::shared_ptr<PeerStream> stream;
  std::optional<tcp::endpoint> connected_to;
};

// False: something happened before.
awaitable<bool> ControlLink::Shared::sleep(milliseconds at_most) {
  wake.expires_after(at_most);
  const auto [cancelled] = co_await wake.async_wait(kAsTuple);
  co_return !cancelled;
}

awaitable<void> ControlLink::Shared::run(std::shared_ptr<Shared> self) {
  (void)self;
  milliseconds backoff = kBackoffMin;
  while (!closed) {
    drop_old();
    if (queue.empty()) {
      // The other side forgets idle connections; better to be the one who ends it.
      const bool idle = co_await sleep(kControlIdleMax / 2);
      if (idle && !closed && queue.empty() && stream) std::exchange(stream, nullptr)->close();
      continue;
    }
    // No co_await in a condition: GCC 12 makes wrong code of it.
    bool connected = stream != nullptr;
    if (!connected) connected = co_await connect();
    if (closed) break;
    bool sent = false;
    if (connected) sent = co_await send_first();
    if (closed) break;
    if (sent) {
      backoff = kBackoffMin;
    } else if (!connected) {
      co_await sleep(backoff);
      backoff = std::min(backoff * 2, kBackoffMax);
    }
  }
  if (stream) stream->close();
}

awaitable<bool> ControlLink::Shared::connect() {
  const std::vector<tcp::endpoint> addresses = options.addresses();
  if (addresses.empty()) co_return false;
  // Named, since GCC 12 destroys temporaries of a co_await expression twice.
  ConnectOptions wanted{
      .addresses = addresses, .within = kControlConnectWithin, .policy = expect_key(options.key)};
  auto made = co_await connect_control(tls, std::move(wanted));
  if (closed) co_return false;
  if (!made) {
    for (const tcp::endpoint& address : addresses) report(address, false);
    co_return false;
  }
  stream = std::move(*made);
  connected_to.reset();
  for (const tcp::endpoint& address : addresses) {
    if (to_string(address) == stream->peer().address) {
      connected_to = address;
      break;
    }
    report(address, false);  // it had its chance before the one that answered
  }
  co_return true;
}

// The first message goes only when it was answered: a connection that the other side has closed
// meanwhile, or that hangs, costs a repetition and no message.
awaitable<bool> ControlLink::Shared::send_first() {
  in_flight = true;
  ControlPost post{.path = kMessagesPath,
                   .body = queue.front().text,
                   .our_port = options.our_port,
                   .within = kControlAnswerWithin,
                   .answer_bytes_max = kControlErrorBytesMax};
  const auto answer = co_await control_post(stream, std::move(post));
  in_flight = false;
  const bool answered = answer || answer.is(Errc::invalid_argument);
  report(connected_to, answered);
  if (answered && !queue.empty()) pop();
  if (answer) co_return true;
  stream->close();  // who refuses may have ended the connection as well
  stream = nullptr;
  if (answered) co_return true;
  co_return false;
}

ControlLink::ControlLink(asio::any_io_executor executor, const TlsContext& tls, const Clock& clock,
                         Options options)
    : shared_(std::make_shared<Shared>(executor, tls, clock, std::move(options))) {
  asio::co_spawn(executor, shared_->run(shared_), asio::detached);
}

ControlLink::~ControlLink() {
  shared_->closed = true;
  if (shared_->stream) shared_->stream->close();
  shared_->wake.cancel();
}

void ControlLink::send(std::string text) {
  while (!shared_->queue.empty() &&
         (shared_->queue.size() >= kMessagesMax || shared_->bytes + text.size() > kBytesMax)) {
    if (shared_->in_flight && shared_->queue.size() == 1) break;
    // The first may be on its way.
    const auto victim = shared_->queue.begin() + (shared_->in_flight ? 1 : 0);
    shared_->bytes -= victim->text.size();
    shared_->queue.erase(victim);
  }
  shared_->bytes += text.size();
  const bool was_empty = shared_->queue.empty();
  shared_->queue.push_back({std::move(text), shared_->clock.monotonic()});
  if (was_empty) shared_->wake.cancel();
}

void ControlLink::address_came() { shared_->wake.cancel(); }

bool ControlLink::idle() const { return shared_->queue.empty(); }

}  // namespace drystone
