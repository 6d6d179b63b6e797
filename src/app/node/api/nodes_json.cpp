#include "app/node/api/nodes_json.h"

#include <boost/json.hpp>
#include <map>
#include <string>

#include "app/node/api/shown_links.h"
#include "cluster/instance/map_view.h"
#include "cluster/state/map_entry.h"
#include "cluster/wire/json_fields.h"

namespace drystone {
namespace {

namespace json = boost::json;

std::string_view shown(cluster::NodeState state) {
  switch (state) {
    case cluster::NodeState::alive:
      return "alive";
    case cluster::NodeState::suspect:
      return "suspect";
    default:
      return "dead";
  }
}

}  // namespace

json::array nodes_json(ClusterHost& host) {
  const std::vector<ClusterHost::Node> nodes = host.nodes();
  std::map<std::string, std::string> names;
  for (const ClusterHost::Node& node : nodes) names[node.id] = node.name;
  auto links = shown_links(host.core().list(kLinkPrefix), names);
  json::array list;
  for (const ClusterHost::Node& node : nodes) {
    json::object out{
        {"name", node.name}, {"id", node.id}, {"state", shown(node.state)}, {"self", node.is_self}};
    if (!node.address.empty()) out["address"] = node.address;
    if (!node.version.empty()) out["version"] = node.version;
    if (!node.api.empty()) out["api"] = node.api;
    if (node.state == cluster::NodeState::left) out["stopped"] = true;
    if (const std::string* figures = host.core().get(std::string(kFiguresPrefix) + node.id)) {
      auto parsed =
          parse_json(*figures, {.bytes_max = cluster::kMapValueBytesMax, .depth_max = 16});
      if (parsed) out["figures"] = *std::move(parsed);
    }
    if (const auto found = links.find(node.id); found != links.end())
      out["links"] = std::move(found->second);
    list.push_back(std::move(out));
  }
  return list;
}

}  // namespace drystone
