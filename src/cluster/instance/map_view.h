#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace drystone {

// The replicated map as the life of instances sees it: what this node knows now. Values that were
// deleted are not there. Only read; writing goes out as actions, and comes back as changed keys.
class MapView {
 public:
  virtual ~MapView() = default;
  // Null when there is none. Valid until the map next changes.
  virtual const boost::json::value* get(std::string_view key) const = 0;
  // All that begin with `prefix`, in order.
  virtual std::vector<std::string> keys(std::string_view prefix) const = 0;
};

// Keys that instances use. docs/formats/placement.md has their values.
//   want/MODEL            desired state (DesiredInstance); whoever answers `load` writes it
//   place/INSTANCE        the placement that holds, or why there is none; its keeper writes it
//   loads/INSTANCE        what came of the wish (LoadRecord); its keeper writes it
//   part/INSTANCE/NODE    how the node's part fares (PartState); that node writes it
//   figures/NODE          NodeFigures; that node writes it
//   link/FROM/TO          LinkFigures; FROM writes it
//   model/MODEL           ModelFigures; a node that has the file writes it
constexpr std::string_view kWantPrefix = "want/", kPlacePrefix = "place/", kPartPrefix = "part/",
                           kLoadsPrefix = "loads/", kFiguresPrefix = "figures/",
                           kLinkPrefix = "link/", kModelPrefix = "model/";

}  // namespace drystone
