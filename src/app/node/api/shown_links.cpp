#include "app/node/api/shown_links.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "app/node/figures/link_prober.h"
#include "cluster/plan/link_figures.h"
#include "cluster/state/map_entry.h"
#include "cluster/wire/json_fields.h"

namespace drystone {
namespace {

namespace json = boost::json;

// Every pair of interfaces that was measured; of what an earlier version tells, the one.
std::vector<LinkFigures> paths_of(const json::object& value, const LinkFigures& used) {
  std::vector<LinkFigures> paths;
  const json::value* told = value.if_contains("paths");
  const json::array* list = told == nullptr ? nullptr : told->if_array();
  if (list == nullptr) return {used};
  for (const json::value& item : *list) {
    if (!item.is_object() || paths.size() == kLinkPathsMax) continue;
    json::object path = item.as_object();
    path["from"] = used.from;
    path["to"] = used.to;
    if (auto read = link_figures_from_json(path)) paths.push_back(*std::move(read));
  }
  if (std::ranges::find(paths, used) == paths.end()) return {used};
  return paths;
}

json::object shown(const LinkFigures& link, const std::string& to_name, bool is_used) {
  json::object out = {{"to", link.to}, {"to_name", to_name}};
  if (!link.from_interface.empty()) out["from_interface"] = link.from_interface;
  if (!link.to_interface.empty()) out["to_interface"] = link.to_interface;
  if (link.round_trip_s) out["latency_us"] = std::round(*link.round_trip_s * 1e7) / 10;
  if (link.bandwidth) out["bandwidth_bytes_per_s"] = std::round(*link.bandwidth);
  if (link.bandwidth_back) out["bandwidth_back_bytes_per_s"] = std::round(*link.bandwidth_back);
  out["used"] = is_used;
  return out;
}

}  // namespace

std::map<std::string, json::array> shown_links(
    const std::vector<std::pair<std::string, std::string>>& values,
    const std::map<std::string, std::string>& names) {
  std::map<std::string, json::array> links;
  for (const auto& [key, text] : values) {
    const auto value =
        parse_json(text, {.bytes_max = cluster::kMapValueBytesMax, .depth_max = 8}, "a link");
    if (!value || !value->is_object()) continue;
    const auto used = link_figures_from_json(*value);
    if (!used || !names.contains(used->from) || !names.contains(used->to)) continue;
    for (const LinkFigures& path : paths_of(value->as_object(), *used)) {
      const bool is_used = path == *used;
      links[path.from].push_back(shown(path, names.at(path.to), is_used));
      links[path.to].push_back(shown(turned(path), names.at(path.from), is_used));
    }
  }
  return links;
}

}  // namespace drystone
