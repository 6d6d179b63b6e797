#pragma once

#include <functional>
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
// for those who can. A value is parsed when it is first asked for, and again after changed() alone:
// the figures of a cluster are long. Not thread-safe.
class InstanceMap {
 public:
  explicit InstanceMap(const MapView& map) : map_(map) {}  // borrows it
  InstanceMap(const InstanceMap&) = delete;
  InstanceMap& operator=(const InstanceMap&) = delete;

  // The map has another value at this key, or none any more. Has to be told of each such change.
  void changed(std::string_view key);

  // By instance: of every replica of everything that is wanted, up to kInstancesMax.
  std::map<std::string, DesiredInstance> wanted() const;
  // How many are wanted of other models, those beyond that too.
  std::size_t wanted_beside(const std::string& model) const;
  // By instance.
  std::map<std::string, PlaceValue> places() const;
  std::optional<PlaceValue> place(const std::string& instance) const;
  // Of what nothing is written down yet: nothing was asked, nothing failed.
  LoadRecord load_record(const std::string& instance) const;
  // Instances of which something is.
  std::vector<std::string> load_records() const;
  // By node.
  std::map<std::string, PartState> parts(const std::string& instance) const;
  // Of this very placement: those of other epochs are left out.
  std::map<std::string, PartState> parts(const Placement& placement) const;
  std::optional<PartState> part(const std::string& instance, const std::string& node) const;

  // (instance, node) of every part state.
  std::vector<std::pair<std::string, std::string>> all_parts() const;

  // Null: none. These are valid until the next changed().
  const ModelFigures* model(const std::string& name) const;
  const NodeFigures* node(const std::string& id) const;
  std::vector<std::string> nodes() const;  // ids of all that have told figures, alive or not
  const LinkTable& links() const;
  // Its name for people where it has told it, else its id.
  std::string shown_name(const std::string& id) const;

 private:
  // By key; nullopt: there is none, or none that can be understood.
  template <typename T>
  using Parsed = std::map<std::string, std::optional<T>, std::less<>>;
  const DesiredInstance* wish(const std::string& key) const;  // null: none at this key
  template <typename T>
  const std::optional<T>& read(Parsed<T>& parsed, const std::string& key,
                               Result<T> (*reader)(const boost::json::value&)) const;

  const MapView& map_;
  mutable Parsed<DesiredInstance> wanted_;
  mutable Parsed<PlaceValue> places_;
  mutable Parsed<LoadRecord> records_;
  mutable Parsed<PartState> parts_;
  mutable Parsed<ModelFigures> models_;
  mutable Parsed<NodeFigures> nodes_;
  mutable Parsed<LinkFigures> link_figures_;
  mutable std::optional<LinkTable> links_;  // of all link_figures_
};

std::string want_key(const std::string& model);
std::string place_key(const std::string& instance);
std::string load_record_key(const std::string& instance);
std::string part_key(const std::string& instance, const std::string& node);

}  // namespace drystone
