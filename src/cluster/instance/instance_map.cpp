#include "cluster/instance/instance_map.h"

#include <boost/json.hpp>

namespace drystone {
namespace {

namespace json = boost::json;

template <typename T>
std::optional<T> read(const MapView& map, const std::string& key,
                      Result<T> (*reader)(const json::value&)) {
  const json::value* value = map.get(key);
  if (value == nullptr) return std::nullopt;
  auto read = reader(*value);
  if (!read) return std::nullopt;
  return *std::move(read);
}

std::string join(std::string_view prefix, const std::string& name) {
  return std::string(prefix) + name;
}

}  // namespace

std::string want_key(const std::string& model) { return join(kWantPrefix, model); }
std::string place_key(const std::string& instance) { return join(kPlacePrefix, instance); }
std::string load_record_key(const std::string& instance) { return join(kLoadsPrefix, instance); }
std::string part_key(const std::string& instance, const std::string& node) {
  return join(kPartPrefix, instance) + "/" + node;
}

std::map<std::string, DesiredInstance> InstanceMap::wanted() const {
  std::map<std::string, DesiredInstance> wanted;
  for (const std::string& key : map_.keys(kWantPrefix)) {
    const auto desired = read(map_, key, desired_from_json);
    if (!desired || want_key(desired->model) != key) continue;
    for (std::uint32_t i = 0; i < desired->replicas && wanted.size() < kInstancesMax; ++i)
      wanted.emplace(instance_name(desired->model, i), *desired);
  }
  return wanted;
}

std::optional<PlaceValue> InstanceMap::place(const std::string& instance) const {
  auto place = read(map_, place_key(instance), place_value_from_json);
  if (place && place->placement && place->placement->instance != instance) return std::nullopt;
  return place;
}

LoadRecord InstanceMap::load_record(const std::string& instance) const {
  return read(map_, load_record_key(instance), load_record_from_json).value_or(LoadRecord{});
}

std::vector<std::string> InstanceMap::load_records() const {
  std::vector<std::string> instances = map_.keys(kLoadsPrefix);
  for (std::string& instance : instances) instance.erase(0, kLoadsPrefix.size());
  return instances;
}

std::map<std::string, PlaceValue> InstanceMap::places() const {
  std::map<std::string, PlaceValue> places;
  for (const std::string& key : map_.keys(kPlacePrefix)) {
    if (places.size() == kPlacesMax) break;
    std::string instance = key.substr(kPlacePrefix.size());
    if (auto value = place(instance)) places.emplace(std::move(instance), *std::move(value));
  }
  return places;
}

std::optional<PartState> InstanceMap::part(const std::string& instance,
                                           const std::string& node) const {
  return read(map_, part_key(instance, node), part_state_from_json);
}

std::map<std::string, PartState> InstanceMap::parts(const std::string& instance) const {
  std::map<std::string, PartState> parts;
  const std::string prefix = part_key(instance, "");
  for (const std::string& key : map_.keys(prefix)) {
    const std::string node = key.substr(prefix.size());
    if (node.empty() || node.find('/') != std::string::npos) continue;
    if (auto state = part(instance, node)) parts.emplace(node, *std::move(state));
  }
  return parts;
}

std::vector<std::pair<std::string, std::string>> InstanceMap::all_parts() const {
  std::vector<std::pair<std::string, std::string>> all;
  for (const std::string& key : map_.keys(kPartPrefix)) {
    const std::size_t slash = key.rfind('/');
    if (slash >= kPartPrefix.size())
      all.emplace_back(key.substr(kPartPrefix.size(), slash - kPartPrefix.size()),
                       key.substr(slash + 1));
  }
  return all;
}

std::optional<ModelFigures> InstanceMap::model(const std::string& name) const {
  return read(map_, join(kModelPrefix, name), model_figures_from_json);
}

std::optional<NodeFigures> InstanceMap::node(const std::string& id) const {
  auto node = read(map_, join(kFiguresPrefix, id), node_figures_from_json);
  if (node && node->id != id) return std::nullopt;
  return node;
}

std::string InstanceMap::shown_name(const std::string& id) const {
  const auto figures = node(id);
  return figures && !figures->name.empty() ? figures->name : id;
}

LinkTable InstanceMap::links() const {
  LinkTable links;
  for (const std::string& key : map_.keys(kLinkPrefix))
    if (const auto link = read(map_, key, link_figures_from_json)) links.set(*link);
  return links;
}

}  // namespace drystone
