#include "app/node/instances/unmeasured.h"

#include <fmt/format.h>

#include <set>

namespace drystone {

std::vector<Unmeasured> unmeasured(const InstanceMap& map, const std::vector<std::string>& nodes) {
  std::vector<Unmeasured> missing;
  std::set<std::string> measuring;
  for (const std::string& id : nodes) {
    const NodeFigures* figures = map.node(id);
    if (figures == nullptr || figures->measuring.value_or(false)) {
      measuring.insert(id);
      missing.push_back({map.shown_name(id), true});
    } else if (!figures->measuring && !figures->read_bandwidth) {
      missing.push_back({map.shown_name(id), false});
    }
  }
  const LinkTable& links = map.links();
  for (std::size_t i = 0; i < nodes.size(); ++i)
    for (std::size_t j = i + 1; j < nodes.size(); ++j)
      if (!links.between(nodes[i], nodes[j]).round_trip_s)
        missing.push_back(
            {fmt::format("the link {} - {}", map.shown_name(nodes[i]), map.shown_name(nodes[j])),
             measuring.contains(nodes[i]) || measuring.contains(nodes[j])});
  return missing;
}

}  // namespace drystone
