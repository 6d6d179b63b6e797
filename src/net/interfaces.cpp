#include "net/interfaces.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>

#include "net/interface_facts.h"

namespace drystone {
namespace ip = boost::asio::ip;

namespace {

constexpr const char* kInterfacesFolder = "/sys/class/net";

template <typename Bytes>
unsigned leading_ones(const Bytes& mask) {
  unsigned bits = 0;
  for (const unsigned char byte : mask) {
    bits += static_cast<unsigned>(std::countl_one(byte));
    if (byte != 0xff) break;
  }
  return bits;
}

ip::address_v4::bytes_type v4_bytes(const sockaddr* address) {
  ip::address_v4::bytes_type bytes;
  std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, bytes.size());
  return bytes;
}
ip::address_v6::bytes_type v6_bytes(const sockaddr* address) {
  ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr,
              bytes.size());
  return bytes;
}

void add_address(Interface& interface, const ifaddrs& entry) {
  if (entry.ifa_addr == nullptr || entry.ifa_netmask == nullptr) return;
  if (entry.ifa_addr->sa_family == AF_INET) {
    interface.addresses.push_back({.address = ip::address_v4(v4_bytes(entry.ifa_addr)),
                                   .prefix_bits = leading_ones(v4_bytes(entry.ifa_netmask))});
  } else if (entry.ifa_addr->sa_family == AF_INET6) {
    ip::address_v6 address(v6_bytes(entry.ifa_addr));
    if (address.is_link_local()) address.scope_id(interface.index);
    interface.addresses.push_back(
        {.address = address, .prefix_bits = leading_ones(v6_bytes(entry.ifa_netmask))});
  }
}

template <typename Bytes>
bool same_prefix(const Bytes& a, const Bytes& b, unsigned bits) {
  for (std::size_t i = 0; i < a.size() && bits > 0; ++i) {
    const unsigned here = std::min(bits, 8U);
    if (((a[i] ^ b[i]) >> (8 - here)) != 0) return false;
    bits -= here;
  }
  return true;
}

}  // namespace

std::string_view to_string(InterfaceKind kind) {
  switch (kind) {
    case InterfaceKind::ethernet:
      return "ethernet";
    case InterfaceKind::wifi:
      return "wifi";
    case InterfaceKind::thunderbolt:
      return "thunderbolt";
    case InterfaceKind::loopback:
      return "loopback";
    case InterfaceKind::virtual_link:
      return "virtual";
    case InterfaceKind::unknown:
      break;
  }
  return "unknown";
}

Result<std::vector<Interface>> list_interfaces() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0)
    return Error(Errc::io, fmt::format("cannot list this machine's network interfaces: {}",
                                       std::strerror(errno)));
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, ::freeifaddrs);
  std::map<unsigned, Interface> found;
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    const unsigned index = ::if_nametoindex(entry->ifa_name);
    if (index == 0) continue;  // Gone since.
    Interface& interface = found[index];
    if (interface.index == 0) {
      const InterfaceFacts facts = interface_facts(kInterfacesFolder, entry->ifa_name);
      interface.name = entry->ifa_name;
      interface.index = index;
      interface.kind = facts.kind;
      interface.speed_mbit = facts.speed_mbit;
      interface.up = (entry->ifa_flags & IFF_UP) != 0 && (entry->ifa_flags & IFF_RUNNING) != 0;
      interface.multicast = (entry->ifa_flags & IFF_MULTICAST) != 0;
    }
    add_address(interface, *entry);
  }
  std::vector<Interface> interfaces;
  for (auto& [index, interface] : found) interfaces.push_back(std::move(interface));
  return interfaces;
}

bool reaches(const Interface& interface, const ip::address& address) {
  return std::any_of(
      interface.addresses.begin(), interface.addresses.end(), [&](const InterfaceAddress& own) {
        if (own.address.is_v4() != address.is_v4()) return false;
        if (address.is_v4())
          return same_prefix(own.address.to_v4().to_bytes(), address.to_v4().to_bytes(),
                             own.prefix_bits);
        // All link-local addresses look alike: their scope tells where they are.
        if (address.to_v6().is_link_local() && address.to_v6().scope_id() != interface.index)
          return false;
        return same_prefix(own.address.to_v6().to_bytes(), address.to_v6().to_bytes(),
                           own.prefix_bits);
      });
}

}  // namespace drystone
