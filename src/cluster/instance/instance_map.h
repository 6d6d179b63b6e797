#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/instance/desired.h"
#include "cluster/instance/load_record.h"
#include "cluster/instance/map_view.h"
#include "cluster/instance/part_state.h"
#include "cluster/instance/place_value.h"
#include "cluster/plan/link_figures.h"
#include "cluster/plan/model_figures.h"
#include "cluster/plan/node_figures.h"

namespace drystone {

constexpr std::size_t kInstancesMax = 256;  // wanted at once; further ones are not looked at
constexpr std::size_t kPlacesMax = 4096;    // with those that nobody wants any more

// The replicated map with its values understood. What cannot be understood counts as absent: it is
// for those who can. Reads afresh with every call.
class InstanceMap {
 public:
  explicit InstanceMap(const MapView& map) : map_(map) {}

  // By instance: of every replica of everything that is wanted.
  std::map<std::string, DesiredInstance> wanted() const;
  // By instance.
  std::map<std::string, PlaceValue> places() const;
  std::optional<PlaceValue> place(const std::string& instance) const;
  // Of what nothing is written down yet: nothing was asked, nothing failed.
  LoadRecord load_record(const std::string& instance) const;
  // Instances of which something is.
  std::vector<std::string> load_records() const;
  // By node.
  std::map<std::string, PartState> parts(const std::string& instance) const;
  std::optional<PartState> part(const std::string& instance, const std::string& node) const;

  // (instance, node) of every part state.
  std::vector<std::pair<std::string, std::string>> all_parts() const;

  std::optional<ModelFigures> model(const std::string& name) const;
  std::optional<NodeFigures> node(const std::string& id) const;
  // Its name for people where it has told it, else its id.
  std::string shown_name(const std::string& id) const;
  LinkTable links() const;

 private:
  const MapView& map_;
};

std::string want_key(const std::string& model);
std::string place_key(const std::string& instance);
std::string load_record_key(const std::string& instance);
std::string part_key(const std::string& instance, const std::string& node);

}  // namespace drystone
