#include "serve/peer/control/control_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <list>

#include "net/address_order.h"
#include "net/source_limit.h"
#include "serve/peer/control/control_protocol.h"
#include "serve/peer/control/stream_deadline.h"

namespace drystone {
namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::awaitable;
using asio::ip::tcp;

namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
// One text for all that a stranger must not tell apart.
constexpr std::string_view kMembersOnly = "this node speaks to the members of its cluster only";

using Request = http::request<http::string_body>;

struct Answer {
  http::status status = http::status::no_content;
  std::string body;
};

Answer refusal(http::status status, std::string_view message) {
  return {.status = status, .body = control_error_json(message)};
}

std::optional<tcp::endpoint> address_of(const PeerStream& stream) {
  const auto parsed = parse_host_port(stream.peer().address);
  if (!parsed) return std::nullopt;
  boost::system::error_code error;
  auto address = asio::ip::make_address(parsed->host, error);
  if (error) return std::nullopt;
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  return tcp::endpoint(address, parsed->port);
}

// Where the sender takes connections itself.
std::optional<tcp::endpoint> listening_at(const Request& request,
                                          const std::optional<tcp::endpoint>& from) {
  const auto said = request[kPeerPortHeader];
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(said.data(), said.data() + said.size(), port);
  if (!from || error != std::errc{} || end != said.data() + said.size() || port == 0)
    return std::nullopt;
  return tcp::endpoint(from->address(), port);
}

}  // namespace

struct ControlServer::Shared : std::enable_shared_from_this<Shared> {
  struct Connection {
    std::shared_ptr<PeerStream> stream;
    std::optional<tcp::endpoint> from;
    bool is_member;
  };
  using Connections = std::list<Connection>;  // oldest first

  Shared(asio::any_io_executor on, const Clock& time, PublicKey key, Handlers what)
      : executor(std::move(on)), clock(time), ours(key), handlers(std::move(what)) {}

  void make_room(const PublicKey& key, bool is_member);
  awaitable<void> serve(std::shared_ptr<Shared> self, Connections::iterator connection);
  awaitable<bool> serve_one(Connection& connection);
  Answer answer(const Connection& connection, const Request& request);
  Answer answer_stranger(const Connection& connection, const Request& request);
  Answer answer_join(const Connection& connection, const Request& request);

  asio::any_io_executor executor;
  const Clock& clock;
  const PublicKey ours;
  const Handlers handlers;
  bool closed = false;
  Connections connections;
  SourceLimit strangers{
      {.per_second = kStrangerRequestsPerSecond, .burst = kStrangerRequestsBurst}};
};

// Its peer may have given the oldest up without our knowing: a cable was cut.
void ControlServer::Shared::make_room(const PublicKey& key, bool is_member) {
  std::size_t count = 0;
  Connection* oldest = nullptr;
  for (Connection& one : connections) {
    if (is_member ? one.stream->peer_key() != key : one.is_member) continue;
    if (!oldest) oldest = &one;
    ++count;
  }
  if (count >= (is_member ? kConnectionsPerMemberMax : kStrangersMax)) oldest->stream->close();
}

awaitable<void> ControlServer::Shared::serve(std::shared_ptr<Shared> self,
                                             Connections::iterator connection) {
  // No co_await in a condition: GCC 12 makes wrong code of it.
  bool more = !closed;
  while (more) more = co_await serve_one(*connection);
  connection->stream->close();
  connections.erase(connection);
  (void)self;
}

// One request and its answer. False: the connection is over.
awaitable<bool> ControlServer::Shared::serve_one(Connection& connection) {
  const std::shared_ptr<PeerStream> stream = connection.stream;
  boost::beast::flat_buffer buffer(kControlHeaderBytesMax + kControlBodyBytesMax);
  http::request_parser<http::string_body> parser;
  parser.header_limit(kControlHeaderBytesMax);
  parser.body_limit(kControlBodyBytesMax);
  {
    const StreamDeadline deadline(stream,
                                  connection.is_member ? kControlIdleMax : kStrangerRequestWithin);
    const auto [error, bytes] = co_await http::async_read(*stream, buffer, parser, kAsTuple);
    if (error || closed) co_return false;
  }
  const Request request = parser.release();
  connection.is_member = handlers.is_member(stream->peer_key());
  Answer answered = answer(connection, request);
  http::response<http::string_body> reply(answered.status, 11);
  if (!answered.body.empty()) reply.set(http::field::content_type, "application/json");
  reply.keep_alive(connection.is_member && request.keep_alive());
  reply.body() = std::move(answered.body);
  if (answered.status != http::status::no_content) reply.content_length(reply.body().size());
  const StreamDeadline deadline(stream, kControlWriteWithin);
  const auto [error, bytes] = co_await http::async_write(*stream, reply, kAsTuple);
  // Bytes behind a request would be the next one; nodes do not send those ahead.
  co_return !error && !closed && reply.keep_alive() && buffer.size() == 0;
}

Answer ControlServer::Shared::answer(const Connection& connection, const Request& request) {
  if (!connection.is_member) return answer_stranger(connection, request);
  if (request.target() != kMessagesPath && request.target() != kJoinPath)
    return refusal(http::status::not_found, "there is nothing here");
  if (request.method() != http::verb::post)
    return refusal(http::status::method_not_allowed, "messages are sent with POST");
  // One that was let in and could not keep that, or did not hear of it, asks again.
  if (request.target() == kJoinPath) return answer_join(connection, request);
  auto taken = handlers.message(connection.stream->peer_key(), request.body(),
                                listening_at(request, connection.from));
  if (!taken) return refusal(http::status::bad_request, taken.error().message());
  return {};
}

Answer ControlServer::Shared::answer_stranger(const Connection& connection,
                                              const Request& request) {
  const Answer nothing = refusal(http::status::forbidden, kMembersOnly);
  const asio::ip::address source =
      connection.from ? connection.from->address() : asio::ip::address();
  if (!strangers.admit(source, clock.monotonic()))
    return refusal(http::status::too_many_requests, "too many requests: wait some seconds");
  if (request.method() != http::verb::post) return nothing;
  if (request.target() == kMessagesPath) {
    const auto taken = handlers.message(connection.stream->peer_key(), request.body(),
                                        listening_at(request, connection.from));
    // One that its message has shown to be a member may know.
    return taken && handlers.is_member(connection.stream->peer_key()) ? Answer{} : nothing;
  }
  if (request.target() != kJoinPath) return nothing;
  return answer_join(connection, request);
}

Answer ControlServer::Shared::answer_join(const Connection& connection, const Request& request) {
  if (request.body().size() > cluster::kJoinRequestBytesMax)
    return refusal(http::status::forbidden, kMembersOnly);
  const Digest exporter = connection.stream->exporter(kJoinExporterLabel);
  cluster::JoinBinding binding;
  binding.exporter.assign(reinterpret_cast<const char*>(exporter.data()), exporter.size());
  std::copy_n(reinterpret_cast<const std::uint8_t*>(connection.stream->peer_key().raw.data()),
              binding.joining.size(), binding.joining.begin());
  std::copy_n(reinterpret_cast<const std::uint8_t*>(ours.raw.data()), binding.member.size(),
              binding.member.begin());
  auto welcome = handlers.join(request.body(), binding, listening_at(request, connection.from));
  if (!welcome) return refusal(http::status::forbidden, welcome.error().message());
  return {.status = http::status::ok, .body = *std::move(welcome)};
}

ControlServer::ControlServer(asio::any_io_executor executor, const Clock& clock, PublicKey ours,
                             Handlers handlers)
    : shared_(std::make_shared<Shared>(std::move(executor), clock, ours, std::move(handlers))) {}

ControlServer::~ControlServer() { close(); }

void ControlServer::accept(std::unique_ptr<PeerStream> stream) {
  if (shared_->closed) return;
  const bool is_member = shared_->handlers.is_member(stream->peer_key());
  if (shared_->connections.size() >= kConnectionsMax + kStrangersMax) return;
  shared_->make_room(stream->peer_key(), is_member);
  const auto from = address_of(*stream);
  const auto connection = shared_->connections.insert(
      shared_->connections.end(),
      {.stream = std::move(stream), .from = from, .is_member = is_member});
  asio::co_spawn(shared_->executor, shared_->serve(shared_, connection), asio::detached);
}

void ControlServer::close_all_of(const PublicKey& key) {
  for (auto& connection : shared_->connections)
    if (connection.stream->peer_key() == key) connection.stream->close();
}

void ControlServer::close() {
  shared_->closed = true;
  for (auto& connection : shared_->connections) connection.stream->close();
}

std::size_t ControlServer::connections() const { return shared_->connections.size(); }

}  // namespace drystone
