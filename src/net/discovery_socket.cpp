#include "net/discovery_socket.h"

#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/multicast.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "net/interfaces.h"
#include "net/loop_timer.h"
#include "net/source_limit.h"

namespace drystone {
namespace asio = boost::asio;
using asio::ip::udp;
using boost::system::error_code;

namespace {

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

// Of IPv4's groups all sockets of a machine hear what one of them joined, unless told otherwise
// (Linux; others have no such option). Then a packet would come once for each interface.
#ifdef IP_MULTICAST_ALL
void hear_own_groups_only(int socket) {
  const int no = 0;
  ::setsockopt(socket, IPPROTO_IP, IP_MULTICAST_ALL, &no, sizeof no);
}
#else
void hear_own_groups_only(int) {}
#endif

// By index and not by address: several interfaces may have the same address.
error_code choose_interface_v4(int socket, const asio::ip::address_v4& group, unsigned index) {
  ip_mreqn request = {};
  const auto bytes = group.to_bytes();
  std::memcpy(&request.imr_multiaddr, bytes.data(), bytes.size());
  request.imr_ifindex = static_cast<int>(index);
  if (::setsockopt(socket, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request) != 0 ||
      ::setsockopt(socket, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) != 0)
    return {errno, boost::system::system_category()};
  return {};
}

// One interface, one family: what it sends goes out there, what it hears came in there.
class GroupSocket : public std::enable_shared_from_this<GroupSocket> {
 public:
  using Receiver = std::function<void(std::span<const std::byte>, const udp::endpoint&,
                                      std::string_view interface)>;

  GroupSocket(const asio::any_io_executor& executor, udp::endpoint group, std::string interface,
              Receiver receiver)
      : socket_(executor),
        group_(std::move(group)),
        interface_(std::move(interface)),
        receiver_(std::move(receiver)) {}

  error_code join(unsigned index);
  void receive();
  bool send(std::span<const std::byte> packet) {
    error_code error;
    socket_.send_to(asio::buffer(packet.data(), packet.size()), group_, 0, error);
    return !error;
  }
  bool broken() const { return broken_; }
  void close() {
    receiver_ = nullptr;
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  void received(error_code error, std::size_t bytes);

  udp::socket socket_;
  udp::endpoint group_;
  std::string interface_;
  Receiver receiver_;
  bool broken_ = false;
  udp::endpoint from_;
  std::array<std::byte, DiscoverySocket::kPacketBytesMax> packet_;
};

error_code GroupSocket::join(unsigned index) {
  error_code error;
  const bool v6 = group_.address().is_v6();
  if (socket_.open(group_.protocol(), error)) return error;
  const auto set = [&](const auto& option) { return !socket_.set_option(option, error); };
  if (!set(udp::socket::reuse_address(true)) || !set(ReusePort(true))) return error;
  if (v6 && !set(asio::ip::v6_only(true))) return error;
  udp::endpoint own(group_.protocol(), group_.port());
  if (v6) {
    // Bound to the group on this interface, which keeps out what came in on others.
    auto address = group_.address().to_v6();
    address.scope_id(index);
    group_.address(address);
    own = group_;
  }
  if (socket_.bind(own, error)) return error;
  if (!set(asio::ip::multicast::enable_loopback(true)) || !set(asio::ip::multicast::hops(1)))
    return error;
  if (v6) {
    if (!set(asio::ip::multicast::outbound_interface(index)) ||
        !set(asio::ip::multicast::join_group(group_.address().to_v6(), index)))
      return error;
  } else {
    error = choose_interface_v4(socket_.native_handle(), group_.address().to_v4(), index);
    if (error) return error;
    hear_own_groups_only(socket_.native_handle());
  }
  socket_.non_blocking(true, error);
  return error;
}

void GroupSocket::receive() {
  socket_.async_receive_from(asio::buffer(packet_), from_,
                             [self = shared_from_this()](error_code error, std::size_t bytes) {
                               self->received(error, bytes);
                             });
}

void GroupSocket::received(error_code error, std::size_t bytes) {
  if (error == asio::error::operation_aborted || !receiver_) return;
  // An error of one packet (unreachable, too long) says nothing of the next. A socket that is
  // broken for good is replaced with the next look at the interfaces.
  broken_ = error && error != asio::error::message_size && error != asio::error::connection_refused;
  if (broken_) return;
  const Receiver receiver = receiver_;  // which may close this socket
  receiver(std::span(packet_).first(bytes), from_, interface_);
  if (receiver_) receive();
}

using JoinKey = std::pair<unsigned, bool>;  // interface, whether v6

class Discovery final : public DiscoverySocket, public std::enable_shared_from_this<Discovery> {
 public:
  Discovery(asio::any_io_executor executor, const Clock& clock, Options options, Receiver receiver,
            udp::endpoint v4, udp::endpoint v6)
      : executor_(std::move(executor)),
        clock_(clock),
        options_(std::move(options)),
        receiver_(std::move(receiver)),
        groups_{std::move(v4), std::move(v6)},
        timer_(executor_),
        limit_({.per_second = options_.packets_per_second, .burst = options_.packets_burst}) {}

  std::size_t send(std::span<const std::byte> packet) override;
  std::size_t joined() const override { return sockets_.size(); }
  void close() override;
  void rescan();

 private:
  std::set<std::pair<JoinKey, std::string>> wanted() const;
  void join(const JoinKey& key, const std::string& interface);
  void arrived(std::span<const std::byte> packet, const udp::endpoint& from,
               std::string_view interface);

  asio::any_io_executor executor_;
  const Clock& clock_;
  Options options_;
  Receiver receiver_;
  std::array<udp::endpoint, 2> groups_;  // v4, v6
  LoopTimer timer_;
  SourceLimit limit_;
  std::map<JoinKey, std::shared_ptr<GroupSocket>> sockets_;
};

std::set<std::pair<JoinKey, std::string>> Discovery::wanted() const {
  std::set<std::pair<JoinKey, std::string>> keys;
  const auto interfaces = list_interfaces();
  if (!interfaces) return keys;
  for (const Interface& interface : *interfaces) {
    // Loopback carries multicast though it does not say so: nodes of one machine meet there where
    // there is no other network.
    if (!interface.up || (!interface.multicast && interface.kind != InterfaceKind::loopback))
      continue;
    for (const InterfaceAddress& own : interface.addresses)
      if (keys.size() < options_.interfaces_max)
        keys.insert({{interface.index, own.address.is_v6()}, interface.name});
  }
  return keys;
}

void Discovery::join(const JoinKey& key, const std::string& interface) {
  auto socket = std::make_shared<GroupSocket>(
      executor_, groups_[key.second ? 1 : 0], interface,
      [this](std::span<const std::byte> packet, const udp::endpoint& from, std::string_view where) {
        arrived(packet, from, where);
      });
  // An interface that does not take it is asked again at the next look.
  if (socket->join(key.first)) return;
  socket->receive();
  sockets_.emplace(key, std::move(socket));
}

void Discovery::rescan() {
  const auto keys = wanted();
  std::erase_if(sockets_, [&](const auto& entry) {
    const bool lost = entry.second->broken() ||
                      std::none_of(keys.begin(), keys.end(),
                                   [&](const auto& key) { return key.first == entry.first; });
    if (lost) entry.second->close();
    return lost;
  });
  for (const auto& [key, interface] : keys)
    if (!sockets_.contains(key)) join(key, interface);
  timer_.after(options_.rescan_every, [this] { rescan(); });
}

void Discovery::arrived(std::span<const std::byte> packet, const udp::endpoint& from,
                        std::string_view interface) {
  if (!receiver_ || !limit_.admit(from.address(), clock_.monotonic())) return;
  const auto alive = shared_from_this();  // The receiver may let go of us.
  receiver_({.packet = packet, .from = from, .interface = interface});
}

std::size_t Discovery::send(std::span<const std::byte> packet) {
  std::size_t sent = 0;
  for (const auto& [key, socket] : sockets_) sent += socket->send(packet) ? 1 : 0;
  return sent;
}

void Discovery::close() {
  receiver_ = nullptr;
  timer_.cancel();
  for (const auto& [key, socket] : sockets_) socket->close();
  sockets_.clear();
}

// What callers hold: its end closes, while calls that are under way keep the rest alive.
class DiscoveryOwner final : public DiscoverySocket {
 public:
  explicit DiscoveryOwner(std::shared_ptr<Discovery> discovery)
      : discovery_(std::move(discovery)) {}
  ~DiscoveryOwner() override { discovery_->close(); }
  std::size_t send(std::span<const std::byte> packet) override { return discovery_->send(packet); }
  std::size_t joined() const override { return discovery_->joined(); }
  void close() override { discovery_->close(); }

 private:
  std::shared_ptr<Discovery> discovery_;
};

Result<udp::endpoint> group_of(const std::string& text, std::uint16_t port, bool v6) {
  error_code error;
  const auto address = asio::ip::make_address(text, error);
  if (error || !address.is_multicast() || address.is_v6() != v6)
    return Error(Errc::invalid_argument,
                 fmt::format("'{}' is no IPv{} multicast address", text, v6 ? 6 : 4));
  return udp::endpoint(address, port);
}

}  // namespace

Result<std::unique_ptr<DiscoverySocket>> DiscoverySocket::open(asio::any_io_executor executor,
                                                               const Clock& clock, Options options,
                                                               Receiver receiver) {
  const auto v4 = TRY(group_of(options.group_v4, options.port, false));
  const auto v6 = TRY(group_of(options.group_v6, options.port, true));
  auto discovery = std::make_shared<Discovery>(std::move(executor), clock, std::move(options),
                                               std::move(receiver), v4, v6);
  discovery->rescan();
  return std::unique_ptr<DiscoverySocket>(std::make_unique<DiscoveryOwner>(std::move(discovery)));
}

}  // namespace drystone
