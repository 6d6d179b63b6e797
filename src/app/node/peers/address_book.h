#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/interfaces.h"

namespace drystone {

// Where the nodes of the cluster take connections, as far as this one has heard: from discovery,
// fixed peers, connections that they opened, and what they say of themselves. An address proves
// nothing: whoever dials it expects a certain key. Thread-safe.
class AddressBook {
 public:
  using Endpoint = boost::asio::ip::tcp::endpoint;
  static constexpr std::size_t kAddressesMax = 32;  // of one node; the one longest unheard of goes
  static constexpr std::size_t kNodesMax = 2048;
  static constexpr std::chrono::seconds kFailureKept{30};  // then it is as good as others again

  // Whether it is news: not known, or known as failing.
  bool learn(const std::string& node, const Endpoint& address, Clock::Nanoseconds now);
  void report(const std::string& node, const Endpoint& address, bool worked,
              Clock::Nanoseconds now);
  void forget(const std::string& node);

  // It stands first among those of the node, where it is one of them and does not fail. nullopt:
  // none does.
  void prefer(const std::string& node, const std::optional<boost::asio::ip::address>& address);

  // The best first: the preferred one, then by net/address_order.h; those that failed lately last.
  std::vector<Endpoint> addresses(const std::string& node, Clock::Nanoseconds now) const;
  // The one that worked last, else the best; for people. "": none is known.
  std::string shown(const std::string& node, Clock::Nanoseconds now) const;

  void set_interfaces(std::vector<Interface> interfaces);

 private:
  struct Known {
    Endpoint address;
    Clock::Nanoseconds heard_at{};
    Clock::Nanoseconds fails_until = Clock::Nanoseconds::min();
    Clock::Nanoseconds worked_at = Clock::Nanoseconds::min();
  };
  Known* find(const std::string& node, const Endpoint& address);

  mutable std::mutex mutex_;
  std::map<std::string, std::vector<Known>> nodes_;
  std::map<std::string, boost::asio::ip::address> preferred_;
  std::vector<Interface> interfaces_;
};

// The addresses at which others may reach this machine on `port`, "10.0.0.7:8399": of interfaces
// that are up, without loopback and link-local ones. At most `kAddressesMax`. `only`: of an address
// that it listens at alone, that one.
std::vector<std::string> reachable_addresses(const std::vector<Interface>& interfaces,
                                             std::uint16_t port, const std::string& only = "");

}  // namespace drystone
