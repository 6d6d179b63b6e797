#include "app/node/members/join_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>

#include "app/node/peers/discovery.h"
#include "app/node/peers/node_crypto.h"
#include "app/node/peers/resolve.h"
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
constexpr milliseconds kAskAgainAfter{1500};
constexpr milliseconds kConnectWithin{4000};
constexpr milliseconds kWelcomeWithin{8000};
constexpr std::size_t kReasonsMax = 4;

// All attempts of one join: the first that is let in ends the others.
struct Joining {
  Joining(const asio::any_io_executor& executor, const TlsContext& context,
          const cluster::Crypto& ours, const Clock& time, JoinWish given)
      : tls(context), crypto(ours), clock(time), wish(std::move(given)), wake(executor) {}

  void refuse(const tcp::endpoint& address, const std::string& why) { refusals[address] = why; }

  const TlsContext& tls;
  const cluster::Crypto& crypto;
  const Clock& clock;
  const JoinWish wish;
  asio::steady_timer wake;  // cancelled when something was decided
  std::optional<JoinedCluster> joined;
  bool over = false;
  std::map<tcp::endpoint, bool> candidates;       // whether it is being asked now
  std::map<tcp::endpoint, std::string> refusals;  // by those who spoke
  std::map<std::string, std::string> failures;    // of those who did not
  Clock::Nanoseconds news_at{};                   // when the last candidate came
};

cluster::JoinBinding binding_of(const PeerStream& stream, const TlsContext& tls) {
  const Digest exporter = stream.exporter(kJoinExporterLabel);
  return {.exporter = {reinterpret_cast<const char*>(exporter.data()), exporter.size()},
          .joining = to_cluster(tls.our_key()),
          .member = to_cluster(stream.peer_key())};
}

awaitable<Result<JoinedCluster>> ask(std::shared_ptr<Joining> joining, tcp::endpoint address) {
  ConnectOptions options{.within = kConnectWithin, .policy = [](const TlsPeer&) { return true; }};
  options.addresses.push_back(address);
  auto connected = co_await connect_control(joining->tls, std::move(options));
  if (!connected) co_return std::move(connected).error();
  const std::shared_ptr<PeerStream> stream = std::move(*connected);
  if (stream->peer_key() == joining->tls.our_key())
    co_return Error(Errc::unavailable, "that is this node itself");
  const auto binding = binding_of(*stream, joining->tls);
  const auto& secret = joining->wish.code.secret;
  const auto request =
      cluster::make_join_request(secret, joining->wish.name, binding, joining->crypto);
  ControlPost post{.path = kJoinPath,
                   .body = cluster::to_json(request),
                   .our_port = joining->wish.our_port,
                   .last = true,
                   .within = kWelcomeWithin,
                   .answer_bytes_max = cluster::kJoinWelcomeBytesMax};
  auto answer = co_await control_post(stream, std::move(post));
  stream->close();
  if (!answer) co_return std::move(answer).error();
  auto welcome = cluster::parse_join_welcome(*answer);
  if (!welcome) co_return std::move(welcome).error();
  auto members = cluster::accept_welcome(*welcome, secret, binding, joining->crypto);
  if (!members) co_return std::move(members).error();
  co_return JoinedCluster{
      .members = *std::move(members), .welcome = *std::move(welcome), .by = address};
}

awaitable<void> ask_until_answered(std::shared_ptr<Joining> joining, tcp::endpoint address) {
  asio::steady_timer pause(co_await asio::this_coro::executor);
  while (!joining->over) {
    auto result = co_await ask(joining, address);
    if (joining->over) co_return;
    if (result) {
      joining->joined = *std::move(result);
      joining->wake.cancel();
      co_return;
    }
    if (result.is(Errc::not_found)) {
      joining->refuse(address, result.error().message() +
                                   ", and no invitation is open there: that of this code has "
                                   "expired, was used up or withdrawn, is void because a node was "
                                   "removed since, or is another cluster's: ask for a new code");
      break;
    }
    if (!result.is(Errc::unavailable)) {
      joining->refuse(address, result.error().message());
      break;
    }
    if (joining->failures.size() < kReasonsMax || joining->failures.contains(to_string(address)))
      joining->failures[to_string(address)] = result.error().message();
    pause.expires_after(kAskAgainAfter);
    co_await pause.async_wait(kAsTuple);
  }
  joining->candidates[address] = false;
  joining->wake.cancel();
}

void add_candidate(const std::shared_ptr<Joining>& joining, const tcp::endpoint& address) {
  if (joining->over || joining->candidates.size() >= kJoinCandidatesMax ||
      !joining->candidates.try_emplace(address, true).second)
    return;
  joining->news_at = joining->clock.monotonic();
  asio::co_spawn(joining->wake.get_executor(), ask_until_answered(joining, address),
                 asio::detached);
}

awaitable<void> add_named(std::shared_ptr<Joining> joining, std::string text) {
  auto found = co_await resolve_host_port(text);
  if (!found) {
    joining->failures[text] = found.error().message();
    co_return;
  }
  for (const tcp::endpoint& address : *found) add_candidate(joining, address);
}

Error nobody(const Joining& joining) {
  if (!joining.refusals.empty())
    return {Errc::invalid_argument, "cannot join: " + joining.refusals.begin()->second};
  std::string text =
      fmt::format("cannot join: nobody answered the invitation within {} s", kJoinWithin.count());
  for (const auto& [address, why] : joining.failures) text += fmt::format("; {}: {}", address, why);
  return {Errc::unavailable,
          text +
              ". Is a node of that cluster running, and reachable from here? --peer HOST:PORT "
              "names one"};
}

bool has_open(const Joining& joining) {
  return std::ranges::any_of(joining.candidates, [](const auto& one) { return one.second; });
}

}  // namespace

awaitable<Result<JoinedCluster>> join_cluster(const TlsContext& tls, const cluster::Crypto& crypto,
                                              const Clock& clock, JoinWish wish) {
  const auto executor = co_await asio::this_coro::executor;
  const auto joining = std::make_shared<Joining>(executor, tls, crypto, clock, std::move(wish));
  const auto started = joining->news_at = clock.monotonic();
  for (const auto* list : {&joining->wish.code.addresses, &joining->wish.peers})
    for (const std::string& text : *list)
      asio::co_spawn(executor, add_named(joining, text), asio::detached);

  std::unique_ptr<Discovery> discovery;
  if (joining->wish.discover) {
    const DiscoveryKey key = to_bytes(cluster::invitation_discovery_key(
        cluster::invitation_key(joining->wish.code.secret, crypto), crypto));
    auto opened = Discovery::open(
        executor, clock,
        {.keys = [] { return std::vector<DiscoveryKey>(); },
         .every = [] { return milliseconds(1000); },
         .heard =
             [joining, key](const DiscoveryPacket& packet, const tcp::endpoint& from) {
               if (made_with(packet, key)) add_candidate(joining, from);
             }});
    if (opened) discovery = *std::move(opened);
  }

  while (!joining->joined) {
    const auto now = clock.monotonic();
    if (now - started >= kJoinWithin) break;
    const bool refused = !joining->refusals.empty() && !has_open(*joining);
    if (refused && now - joining->news_at >= kJoinRefusedWithin) break;
    joining->wake.expires_after(milliseconds(500));
    co_await joining->wake.async_wait(kAsTuple);
  }
  joining->over = true;
  if (joining->joined) co_return *std::move(joining->joined);
  co_return nobody(*joining);
}

}  // namespace drystone
