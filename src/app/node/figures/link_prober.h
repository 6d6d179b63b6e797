#pragma once

#include <atomic>
#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cluster/plan/link_figures.h"
#include "net/interfaces.h"
#include "net/tls_context.h"
#include "serve/peer/probe/probe_gate.h"
#include "serve/peer/split/tls_dialer.h"

namespace drystone {

// A way to a peer: out of one of our interfaces to one of its addresses.
struct LinkPath {
  std::string from_interface;  // "": the system's choice
  std::optional<boost::asio::ip::address> from;
  std::string to_interface;                        // "": not told
  std::vector<boost::asio::ip::tcp::endpoint> to;  // one, or all for the system's choice
};

constexpr std::size_t kLinkPathsMax = 4;

// An interface of a peer, as it tells of itself (machine_facts.h).
struct PeerInterface {
  std::string name;
  std::vector<std::string> addresses;
  bool up = true;
  std::uint64_t speed_mbit = 0;  // 0: not told
};
// Of the value of figures/NODE; what is not well formed is left out.
std::vector<PeerInterface> peer_interfaces(const boost::json::value& figures);

// Each pair of interfaces once that reach each other without a router, in the order of `addresses`;
// where there is none, one path by the system's choice.
std::vector<LinkPath> link_paths(const std::vector<Interface>& ours,
                                 const std::vector<PeerInterface>& theirs,
                                 const std::vector<boost::asio::ip::tcp::endpoint>& addresses);

// A link as it was measured: over each pair of interfaces, and which of them is used.
struct MeasuredLink {
  LinkFigures used;
  std::vector<LinkFigures> paths;  // kLinkPathsMax at most; `used` is one of them
};
// The value of link/FROM/TO (docs/formats/placement.md): `used`, and all as `paths`.
boost::json::object to_json(const MeasuredLink& link);

// Measures links. Borrows all for its life; one thread.
class LinkProber {
 public:
  static constexpr std::chrono::milliseconds kConnectWithin{3000};

  LinkProber(const TlsContext& tls, const Clock& clock, ProbeGate& gate)
      : tls_(tls), clock_(clock), gate_(gate) {}

  // Every path in turn; used is the one with the most bandwidth. Errors: limit (one of the two
  // nodes is measuring another link), unavailable (no path works: says why), cancelled.
  Result<MeasuredLink> measure(const std::string& self, const std::string& peer,
                               const PublicKey& key, const std::vector<LinkPath>& paths,
                               const std::atomic<bool>& stop);

 private:
  const TlsContext& tls_;
  const Clock& clock_;
  ProbeGate& gate_;
};

}  // namespace drystone
