#include "cluster/instance/instance_map.h"

#include <boost/json.hpp>

namespace drystone {
namespace {

namespace json = boost::json;

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

void InstanceMap::changed(std::string_view key) {
  const auto forget = [&](auto& parsed) {
    if (const auto at = parsed.find(key); at != parsed.end()) parsed.erase(at);
  };
  forget(wanted_), forget(places_), forget(records_), forget(parts_), forget(models_),
      forget(nodes_);
  forget(link_figures_);
  if (key.starts_with(kLinkPrefix)) links_.reset();
}

template <typename T>
const std::optional<T>& InstanceMap::read(Parsed<T>& parsed, const std::string& key,
                                          Result<T> (*reader)(const json::value&)) const {
  static const std::optional<T> kNone;
  if (const auto known = parsed.find(key); known != parsed.end()) return known->second;
  // What the map has not is not kept: anybody can ask for any name.
  const json::value* value = map_.get(key);
  if (value == nullptr) return kNone;
  std::optional<T>& made = parsed[key];
  if (auto read = reader(*value)) made = *std::move(read);
  return made;
}

const DesiredInstance* InstanceMap::wish(const std::string& key) const {
  const auto& desired = read(wanted_, key, desired_from_json);
  return desired && want_key(desired->model) == key ? &*desired : nullptr;
}

std::map<std::string, DesiredInstance> InstanceMap::wanted() const {
  std::map<std::string, DesiredInstance> wanted;
  for (const std::string& key : map_.keys(kWantPrefix)) {
    const DesiredInstance* desired = wish(key);
    if (desired == nullptr) continue;
    for (std::uint32_t i = 0; i < desired->replicas && wanted.size() < kInstancesMax; ++i)
      wanted.emplace(instance_name(desired->model, i), *desired);
  }
  return wanted;
}

std::size_t InstanceMap::wanted_beside(const std::string& model) const {
  std::size_t count = 0;
  for (const std::string& key : map_.keys(kWantPrefix))
    if (const DesiredInstance* desired = wish(key); desired != nullptr && desired->model != model)
      count += desired->replicas;
  return count;
}

std::optional<PlaceValue> InstanceMap::place(const std::string& instance) const {
  const auto& place = read(places_, place_key(instance), place_value_from_json);
  if (place && place->placement && place->placement->instance != instance) return std::nullopt;
  return place;
}

LoadRecord InstanceMap::load_record(const std::string& instance) const {
  return read(records_, load_record_key(instance), load_record_from_json).value_or(LoadRecord{});
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
  return read(parts_, part_key(instance, node), part_state_from_json);
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

std::map<std::string, PartState> InstanceMap::parts(const Placement& placement) const {
  auto states = parts(placement.instance);
  std::erase_if(states, [&](const auto& part) { return part.second.epoch != placement.epoch; });
  return states;
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

const ModelFigures* InstanceMap::model(const std::string& name) const {
  const auto& model = read(models_, join(kModelPrefix, name), model_figures_from_json);
  return model ? &*model : nullptr;
}

const NodeFigures* InstanceMap::node(const std::string& id) const {
  const auto& node = read(nodes_, join(kFiguresPrefix, id), node_figures_from_json);
  return node && node->id == id ? &*node : nullptr;
}

std::vector<std::string> InstanceMap::nodes() const {
  std::vector<std::string> ids;
  for (const std::string& key : map_.keys(kFiguresPrefix))
    if (std::string id = key.substr(kFiguresPrefix.size()); node(id) != nullptr)
      ids.push_back(std::move(id));
  return ids;
}

std::string InstanceMap::shown_name(const std::string& id) const {
  const NodeFigures* figures = node(id);
  return figures != nullptr ? figures->shown_name() : id;
}

const LinkTable& InstanceMap::links() const {
  if (!links_) {
    links_.emplace();
    for (const std::string& key : map_.keys(kLinkPrefix))
      if (const auto& link = read(link_figures_, key, link_figures_from_json)) links_->set(*link);
  }
  return *links_;
}

}  // namespace drystone
