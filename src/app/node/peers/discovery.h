#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/discovery_packet.h"
#include "net/discovery_socket.h"
#include "net/loop_timer.h"

namespace drystone {

// 26 letters, as text and as the 16 bytes that they spell. Errors: none but nullopt (no node id).
std::optional<SealedId> to_sealed(const std::string& node_id);
std::string to_node_id(const SealedId& id);

// What the packet number `turn` is made with, of all keys: the first, and the next of the others,
// as many as it holds. So all have had their turn after one packet for every three of them.
std::vector<DiscoveryKey> keys_of_packet(std::vector<DiscoveryKey> keys, std::size_t turn);

// Says into the local networks that this node is here, and hears who else is. On the executor.
class Discovery {
 public:
  struct Options {
    std::uint16_t port = 0;  // where this node takes connections
    std::string self;        // node id
    // The keys to send with, the cluster's first; none: only listen. Asked before each packet,
    // which has keys_of_packet() of them.
    std::function<std::vector<DiscoveryKey>()> keys;
    // Until the next packet.
    std::function<std::chrono::milliseconds()> every;
    // A packet of any node, ours as well, and where its sender takes connections.
    std::function<void(const DiscoveryPacket&, const boost::asio::ip::tcp::endpoint&)> heard;
  };

  // Borrows the clock. Errors: those of DiscoverySocket::open.
  static Result<std::unique_ptr<Discovery>> open(const boost::asio::any_io_executor& executor,
                                                 const Clock& clock, Options options);

  void send_now();
  std::size_t networks() const { return socket_->joined(); }

 private:
  Discovery(const boost::asio::any_io_executor& executor, Options options);
  void receive(const DiscoverySocket::Arrival& arrival);

  Options options_;
  LoopTimer timer_;
  std::size_t turn_;  // of the next packet
  std::unique_ptr<DiscoverySocket> socket_;
};

}  // namespace drystone
