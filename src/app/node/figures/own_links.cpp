#include "app/node/figures/own_links.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <functional>

namespace drystone {
namespace {

// Ends of containers come and go without anybody's link changing.
bool may_lead_outside(const Interface& interface) {
  return interface.up && !interface.addresses.empty() &&
         interface.kind != InterfaceKind::virtual_link && interface.kind != InterfaceKind::loopback;
}

}  // namespace

std::string link_conditions(const std::vector<Interface>& ours,
                            const std::vector<PeerInterface>& theirs,
                            std::vector<boost::asio::ip::tcp::endpoint> addresses) {
  std::ranges::sort(addresses);
  std::vector<std::string> texts;
  for (const LinkPath& path : link_paths(ours, theirs, addresses)) {
    for (const auto& to : path.to) texts.push_back(to.address().to_string());
    for (const Interface& one : ours)
      if (path.from ? one.name == path.from_interface : may_lead_outside(one))
        texts.push_back(fmt::format("from {} {} {}", one.name,
                                    path.from ? path.from->to_string() : "",
                                    one.speed_mbit.value_or(0)));
    for (const PeerInterface& one : theirs)
      if (one.name == path.to_interface)
        texts.push_back(fmt::format("to {} {} {}", one.name, one.up, one.speed_mbit));
  }
  return fmt::format("{}", fmt::join(texts, "; "));
}

OwnLinks::OwnLinks(ClusterHost& cluster, const SharedFigures& shared, ProbeGate& gate,
                   const Clock& clock, const std::atomic<bool>& stop)
    : cluster_(cluster),
      shared_(shared),
      clock_(clock),
      stop_(stop),
      self_(cluster.self()),
      prober_(cluster.tls(), clock, gate),
      schedule_(std::hash<std::string>{}(self_)) {}

bool OwnLinks::look() {
  const auto now = clock_.monotonic();
  const auto alive = shared_.alive();
  if (!alive) return false;
  const auto interfaces = list_interfaces();
  const std::vector<Interface> ours = interfaces ? *interfaces : std::vector<Interface>();
  std::vector<ProbeSchedule::Peer> known;
  for (const std::string& peer : *alive) {
    if (peer <= self_) continue;  // the lower id of a pair measures
    if (const auto place = cluster_.find(peer); place && !place->addresses.empty())
      known.push_back({.node = peer,
                       .conditions = link_conditions(ours, interfaces_of(peer), place->addresses)});
  }
  schedule_.set_peers(known, now);
  const auto due = schedule_.due(now);
  if (!due) return false;
  const ProbeSchedule::Outcome outcome = measure(*due, ours);
  schedule_.done(*due, outcome, clock_.monotonic());
  return outcome == ProbeSchedule::Outcome::measured;
}

std::vector<PeerInterface> OwnLinks::interfaces_of(const std::string& peer) const {
  boost::system::error_code error;
  const boost::json::value figures = boost::json::parse(shared_.figures_of(peer), error);
  return error ? std::vector<PeerInterface>() : peer_interfaces(figures);
}

ProbeSchedule::Outcome OwnLinks::measure(const std::string& peer,
                                         const std::vector<Interface>& ours) {
  using Outcome = ProbeSchedule::Outcome;
  const auto place = cluster_.find(peer);
  if (!place) return Outcome::failed;
  const auto paths = link_paths(ours, interfaces_of(peer), place->addresses);
  const auto link = prober_.measure(self_, peer, place->key, paths, stop_);
  if (link.is(Errc::limit)) return Outcome::busy;
  if (!link) return Outcome::failed;
  shared_.tell_link(peer, to_json(*link));
  return Outcome::measured;
}

}  // namespace drystone
