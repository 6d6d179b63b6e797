#include "net/address_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <tuple>

namespace drystone {
namespace ip = boost::asio::ip;

namespace {

constexpr std::size_t kHostBytesMax = 255;

int rank_of(InterfaceKind kind) {
  switch (kind) {
    case InterfaceKind::loopback:
      return 0;
    case InterfaceKind::thunderbolt:
      return 1;
    case InterfaceKind::ethernet:
      return 2;
    case InterfaceKind::virtual_link:
      return 3;
    case InterfaceKind::unknown:
      return 4;
    case InterfaceKind::wifi:
      return 5;
  }
  return 6;
}

// Smaller is better.
using Rank = std::tuple<bool /*behind a router*/, int /*kind*/, std::int64_t /*-speed*/>;

Rank rank_of(const ip::address& address, std::span<const Interface> interfaces) {
  Rank best{true, 0, 0};
  for (const Interface& interface : interfaces)
    if (interface.up && reaches(interface, address))
      best = std::min(best, Rank{false, rank_of(interface.kind),
                                 -static_cast<std::int64_t>(interface.speed_mbit.value_or(0))});
  return best;
}

}  // namespace

std::vector<ip::tcp::endpoint> fast_addresses_first(std::vector<ip::tcp::endpoint> addresses,
                                                    std::span<const Interface> interfaces) {
  std::vector<std::pair<Rank, ip::tcp::endpoint>> ranked;
  for (const auto& endpoint : addresses) {
    const bool known = std::any_of(ranked.begin(), ranked.end(),
                                   [&](const auto& other) { return other.second == endpoint; });
    if (!known) ranked.emplace_back(rank_of(endpoint.address(), interfaces), endpoint);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  addresses.clear();
  for (const auto& [rank, endpoint] : ranked) addresses.push_back(endpoint);
  return addresses;
}

Result<HostPort> parse_host_port(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return Error(Errc::invalid_argument,
                 fmt::format("'{}' is no HOST:PORT: {}. Examples: 10.0.0.7:8399, "
                             "[fe80::1%eth0]:8399, atlas.local:8399.",
                             text, why));
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse("the port is missing");
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']') && host.size() > 2)
    host = host.substr(1, host.size() - 2);
  else if (host.find_first_of(":[]") != std::string_view::npos)
    return refuse("an IPv6 address stands in brackets");
  if (host.empty()) return refuse("the host is missing");
  if (host.size() > kHostBytesMax) return refuse("the host is too long");
  std::uint16_t port = 0;
  const auto [end, error] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc() || end != port_text.data() + port_text.size() || port == 0)
    return refuse("the port is no number from 1 to 65535");
  return HostPort{.host = std::string(host), .port = port};
}

std::string to_string(const ip::tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return endpoint.address().is_v6() ? fmt::format("[{}]:{}", address, endpoint.port())
                                    : fmt::format("{}:{}", address, endpoint.port());
}

}  // namespace drystone
