#pragma once

#include <atomic>
#include <boost/json/value.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/node/members/cluster_host.h"
#include "base/clock.h"

namespace drystone {

// The figures in the shared state, for the thread that measures: all but forget() ask the cluster's
// loop from another thread and block until it answers. Where the node is stopping they give
// nothing, and tell nobody.
class SharedFigures {
 public:
  // Borrows all for its life. `say`: a line for people; may be empty.
  SharedFigures(ClusterHost& cluster, const Clock& clock, const std::atomic<bool>& stop,
                std::function<void(const std::string&)> say);

  std::string own_name() const;
  std::optional<std::vector<std::string>> alive() const;
  std::string figures_of(const std::string& node) const;  // as text; "": none
  // figures/SELF, link/SELF/PEER.
  void tell_figures(const boost::json::value& figures) const;
  void tell_link(const std::string& peer, const boost::json::value& link) const;

  // On the loop: who was put out. The lowest node alive clears its figures, links and name away.
  void forget(const std::string& node) const;

 private:
  template <typename Work>
  auto ask(Work work) const -> std::optional<decltype(work())>;
  void tell(const std::string& key, const boost::json::value& value) const;

  ClusterHost& cluster_;
  const Clock& clock_;
  const std::atomic<bool>& stop_;
  const std::function<void(const std::string&)> say_;
  const std::string self_;
};

}  // namespace drystone
