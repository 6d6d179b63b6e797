#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/udp.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace drystone {

// Sends discovery packets (net/discovery_packet.h) by multicast on every interface, v4 and v6, and
// hands over what comes. It looks for new and lost interfaces every few seconds. Several nodes of
// one machine hear each other; a node hears itself, too. All calls and the receiver run on the
// executor, which runs one thing at a time.
class DiscoverySocket {
 public:
  struct Options {
    std::uint16_t port = 8399;
    std::string group_v4 = "239.255.83.99";  // of site-local scope, RFC 2365
    std::string group_v6 = "ff02::d5:8399";  // of link-local scope
    std::chrono::milliseconds rescan_every{3000};
    double packets_per_second = 20;  // of one source, above which it is not listened to
    double packets_burst = 60;
    std::size_t interfaces_max = 64;
  };

  struct Arrival {
    std::span<const std::byte>
        packet;  // for the call; any bytes of any size up to packet_bytes_max
    boost::asio::ip::udp::endpoint from;
    std::string_view interface;  // for the call; where it came in
  };
  using Receiver = std::function<void(const Arrival&)>;
  static constexpr std::size_t kPacketBytesMax = 512;  // longer ones are cut there

  // The clock must outlive it. Errors: invalid_argument (a group that is no multicast address).
  // That no interface can multicast is no error: one may come.
  static Result<std::unique_ptr<DiscoverySocket>> open(boost::asio::any_io_executor executor,
                                                       const Clock& clock, Options options,
                                                       Receiver receiver);
  virtual ~DiscoverySocket() = default;  // as close()

  // Sends on every interface, where it can be sent at once. Where to, for a log: how many
  // interfaces and families took it.
  virtual std::size_t send(std::span<const std::byte> packet) = 0;

  // Interfaces and families that are joined now.
  virtual std::size_t joined() const = 0;

  // The receiver is not called any more.
  virtual void close() = 0;
};

}  // namespace drystone
