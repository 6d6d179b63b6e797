#pragma once

#include <boost/json/value.hpp>
#include <functional>
#include <string>

#include "app/node/instances/instance_view.h"
#include "app/node/models/model_catalog.h"
#include "base/clock.h"
#include "cluster/instance/desired.h"
#include "cluster/instance/instance_map.h"

namespace drystone {

// What people want the cluster to run, as it stands in the shared state: the wish (want/MODEL), and
// what the model is (source/MODEL, model/MODEL), which outlives it. On the cluster's loop.
class InstanceWishes {
 public:
  // Models that the shared state knows though nobody wants them. So that it is bounded, those
  // beyond are forgotten with the next wish: they can be found again by their files.
  static constexpr std::size_t kUnloadedMax = 256;

  struct Rooms {
    const InstanceMap& map;
    const InstanceView& view;
    const Clock& clock;
    // Writes into the shared state, and so into `map` and `view`; null: takes away. Errors: limit.
    std::function<Result<void>(const std::string& key, const boost::json::value& value)> put;
    std::function<void()> changed;  // after all of a wish has been put
  };
  explicit InstanceWishes(Rooms rooms) : rooms_(std::move(rooms)) {}

  // Of a model that somebody has loaded before, wherever its file is. Errors: not_found, corrupt.
  Result<ModelCatalog::Found> known(const std::string& model) const;
  // Whether it may be wanted under its name. Adds the holders that are known already. A name is
  // free again when its model is gone. Errors: invalid_argument (another model has its name);
  // unavailable (that one is being unloaded).
  Result<void> check_name(ModelCatalog::Found& found) const;

  // Gives what was written. Errors: limit (kInstancesMax: nothing was written), those of check_name
  // and put.
  Result<DesiredInstance> want(ModelCatalog::Found found, DesiredInstance desired);
  // Errors: not_found (nobody asked for it), those of put.
  Result<void> unwant(const std::string& model);

 private:
  bool is_wanted(const std::string& model) const;
  bool is_placed(const std::string& model) const;
  Result<void> check_room(const DesiredInstance& desired) const;
  Result<void> forget_models();

  const Rooms rooms_;
};

}  // namespace drystone
