#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/node/members/belonging.h"
#include "app/node/peers/address_book.h"
#include "app/node/peers/discovery.h"
#include "app/node/peers/fixed_peers.h"
#include "app/node/peers/peer_links.h"
#include "cluster/core/cluster_core.h"
#include "net/loop_timer.h"

namespace drystone {

// How a node and the other members find each other: what it says of itself (its interfaces and
// addresses, in the shared state and into the networks), whom it hears, and whom it asks at the
// addresses that it was given. What it learns goes into the address book and to the links. All on
// the loop.
class Surroundings {
 public:
  struct Options {
    bool discover = true;                         // multicast
    std::vector<std::string> peers;               // "host:port", asked besides discovery
    std::string version, api;                     // what others should know of this node
    std::string address;                          // where it takes connections; empty: everywhere
    std::uint16_t port = 0;                       // where it takes connections of members
    std::function<void(const std::string&)> say;  // what a person should read
    std::function<void()> changed;                // the core may have: ClusterHost::follow
  };
  struct Rooms {
    boost::asio::any_io_executor loop;
    const Clock& clock;
    const TlsContext& tls;
    const cluster::Crypto& crypto;
    cluster::ClusterCore& core;
    Belonging& belonging;
    AddressBook& book;
    PeerLinks& links;
  };
  // Borrows the rooms for its life.
  Surroundings(Options options, const Rooms& rooms)
      : options_(std::move(options)), rooms_(rooms), timer_(rooms.loop) {}

  void start();
  void close();  // nothing follows any more

  // After an invitation or the discovery key has changed; happens every second by itself.
  void look_around();
  void announce_now();
  // What a member says of itself at `key`. False: nothing that we can use.
  bool learn_from(const std::string& key);
  // Of this node, for others: "10.0.0.7:8399".
  std::vector<std::string> addresses() const {
    return reachable_addresses(interfaces_, options_.port, options_.address);
  }

 private:
  using Endpoint = boost::asio::ip::tcp::endpoint;

  void describe();
  void announce();
  void ask_peers();
  void hear(const DiscoveryPacket& packet, const Endpoint& from);
  bool misses_somebody() const;
  std::chrono::milliseconds until_next() const;

  const Options options_;
  const Rooms rooms_;
  LoopTimer timer_;
  std::vector<Interface> interfaces_;
  std::vector<DiscoveryKey> announced_keys_, heard_keys_;
  std::unique_ptr<FixedPeers> fixed_;
  std::unique_ptr<Discovery> discovery_;
};

}  // namespace drystone
