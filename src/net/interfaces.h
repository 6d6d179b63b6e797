#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace drystone {

enum class InterfaceKind : std::uint8_t {
  ethernet,
  wifi,
  thunderbolt,
  loopback,
  virtual_link,  // bridges, tunnels, containers' ends: no cable of its own
  unknown,
};
std::string_view to_string(InterfaceKind kind);

struct InterfaceAddress {
  boost::asio::ip::address address;  // link-local v6 with its scope
  unsigned prefix_bits = 0;          // of its network
  bool operator==(const InterfaceAddress&) const = default;
};

// A network interface of this machine.
struct Interface {
  std::string name;  // "eth0"
  unsigned index = 0;
  InterfaceKind kind = InterfaceKind::unknown;
  bool up = false;  // switched on and with a carrier
  bool multicast = false;
  std::optional<std::uint32_t> speed_mbit;  // where the system tells; of wifi it does not
  std::vector<InterfaceAddress> addresses;
  bool operator==(const Interface&) const = default;
};

// All of them, those that are down as well, by index. Linux knows kinds and speeds; elsewhere what
// is not known is said to be unknown. Errors: io.
Result<std::vector<Interface>> list_interfaces();

// Whether `address` stands in the network of one of the interface's addresses: it is reached
// through it, without a router.
bool reaches(const Interface& interface, const boost::asio::ip::address& address);

}  // namespace drystone
