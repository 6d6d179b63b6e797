#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <string>
#include <vector>

#include "app/node/figures/link_prober.h"
#include "app/node/figures/probe_schedule.h"
#include "app/node/figures/shared_figures.h"
#include "app/node/members/cluster_host.h"
#include "base/clock.h"
#include "net/interfaces.h"

namespace drystone {

// What a link's figures depend on, as one text: the paths that would be measured, and the speeds of
// their interfaces on both sides. Another text: the link is to be measured again.
std::string link_conditions(const std::vector<Interface>& ours,
                            const std::vector<PeerInterface>& theirs,
                            std::vector<boost::asio::ip::tcp::endpoint> addresses);

// Has the links between this node and those of higher ids measured, and tells the cluster of them.
// On one thread.
class OwnLinks {
 public:
  // Borrows all for its life. `stop`: measuring ends within seconds.
  OwnLinks(ClusterHost& cluster, const SharedFigures& shared, ProbeGate& gate, const Clock& clock,
           const std::atomic<bool>& stop);

  // Measures the link whose turn it is, if any; blocks for seconds then. False: there is nothing
  // more to do now.
  bool look();

 private:
  ProbeSchedule::Outcome measure(const std::string& peer, const std::vector<Interface>& ours);
  std::vector<PeerInterface> interfaces_of(const std::string& peer) const;

  ClusterHost& cluster_;
  const SharedFigures& shared_;
  const Clock& clock_;
  const std::atomic<bool>& stop_;
  const std::string self_;
  LinkProber prober_;
  ProbeSchedule schedule_;
};

}  // namespace drystone
