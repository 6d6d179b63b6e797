#include "app/node/figures/shared_figures.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <utility>

#include "app/node/members/loop_call.h"
#include "app/node/members/node_name.h"
#include "cluster/instance/map_view.h"

namespace drystone {

SharedFigures::SharedFigures(ClusterHost& cluster, const Clock& clock,
                             const std::atomic<bool>& stop,
                             std::function<void(const std::string&)> say)
    : cluster_(cluster), clock_(clock), stop_(stop), say_(std::move(say)), self_(cluster.self()) {}

template <typename Work>
auto SharedFigures::ask(Work work) const -> std::optional<decltype(work())> {
  using Outcome = Result<decltype(work())>;
  auto answer = call_on(
      cluster_.executor(), [this] { return stop_ || cluster_.ended(); },
      [work] { return Outcome(work()); });
  if (!answer) return std::nullopt;
  return *std::move(answer);
}

std::string SharedFigures::own_name() const {
  return ask([&cluster = cluster_, self = self_] { return node_name(cluster.core(), self); })
      .value_or("");
}

std::optional<std::vector<std::string>> SharedFigures::alive() const {
  return ask([&cluster = cluster_] { return cluster.core().alive(); });
}

std::string SharedFigures::figures_of(const std::string& node) const {
  return ask([&cluster = cluster_, node]() -> std::string {
           const std::string* text = cluster.core().get(std::string(kFiguresPrefix) + node);
           return text == nullptr ? "" : *text;
         })
      .value_or("");
}

void SharedFigures::tell_figures(const boost::json::value& figures) const {
  tell(std::string(kFiguresPrefix) + self_, figures);
}

void SharedFigures::tell_link(const std::string& peer, const boost::json::value& link) const {
  tell(fmt::format("{}{}/{}", kLinkPrefix, self_, peer), link);
}

void SharedFigures::tell(const std::string& key, const boost::json::value& value) const {
  const bool told =
      ask([&cluster = cluster_, &clock = clock_, key, text = boost::json::serialize(value)] {
        const auto put = cluster.core().put(key, text, clock.wall());
        if (put) cluster.follow();
        return put.has_value();
      }).value_or(false);
  if (!told && !stop_ && say_) say_("cannot tell the cluster " + key);
}

void SharedFigures::forget(const std::string& node) const {
  const auto alive = cluster_.core().alive();
  if (alive.empty() || alive.front() != self_) return;
  std::vector<std::string> keys = {std::string(kFiguresPrefix) + node,
                                   std::string(kNamePrefix) + node};
  for (const auto& [key, value] : cluster_.core().list(kLinkPrefix))
    if (key.find(node) != std::string::npos) keys.push_back(key);
  for (const std::string& key : keys)
    static_cast<void>(cluster_.core().erase(key, clock_.wall()));  // a full map: again next time
}

}  // namespace drystone
