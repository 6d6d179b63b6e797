#include "app/node/instances/instance_wishes.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <utility>

namespace drystone {

Result<ModelCatalog::Found> InstanceWishes::known(const std::string& model) const {
  const ModelFigures* figures = rooms_.map.model(model);
  if (figures == nullptr) return Error(Errc::not_found, "the cluster knows no model of that name");
  return ModelCatalog::Found{.source = TRY(rooms_.view.source(model)), .figures = *figures};
}

bool InstanceWishes::is_wanted(const std::string& model) const {
  return rooms_.view.get(want_key(model)) != nullptr;
}

bool InstanceWishes::is_placed(const std::string& model) const {
  for (std::uint32_t i = 0; i < kReplicasMax; ++i) {
    const auto place = rooms_.map.place(instance_name(model, i));
    if (place && place->placement) return true;
  }
  return false;
}

Result<void> InstanceWishes::check_name(ModelCatalog::Found& found) const {
  const std::string& model = found.source.model;
  const auto before = known(model);
  if (!before) return {};
  const ModelSource& source = before->source;
  if (source.identity == found.source.identity) {
    for (const std::string& holder : source.holders)
      if (std::ranges::find(found.source.holders, holder) == found.source.holders.end())
        found.source.holders.push_back(holder);
  } else if (is_wanted(model)) {
    return Error(
        Errc::invalid_argument,
        fmt::format("another model is loaded as {0} in this cluster ({1}). `drystone unload "
                    "{0}` ends that one; or rename the file",
                    model, source.path));
  } else if (is_placed(model)) {
    return Error(Errc::unavailable,
                 fmt::format("another model that was loaded as {} ({}) is just being unloaded; try "
                             "again in some seconds",
                             model, source.path));
  }
  return {};
}

// Those beyond are looked at by nobody, and would push others out.
Result<void> InstanceWishes::check_room(const DesiredInstance& desired) const {
  const std::size_t others = rooms_.map.wanted_beside(desired.model);
  if (others + desired.replicas <= kInstancesMax) return {};
  return Error(Errc::limit,
               fmt::format("{} instances are wanted of other models, and with {} of {} they would "
                           "be more than {}: `drystone unload MODEL` ends those of one",
                           others, desired.replicas, desired.model, kInstancesMax));
}

Result<void> InstanceWishes::forget_models() {
  const std::vector<std::string> keys = rooms_.view.keys(kSourcePrefix);
  std::size_t left = keys.size();
  for (const std::string& key : keys) {
    if (left <= kUnloadedMax) break;
    const std::string model = key.substr(kSourcePrefix.size());
    if (is_wanted(model) || is_placed(model)) continue;
    TRY(rooms_.put(key, nullptr));
    TRY(rooms_.put(std::string(kModelPrefix) + model, nullptr));
    --left;
  }
  return {};
}

Result<DesiredInstance> InstanceWishes::want(ModelCatalog::Found found, DesiredInstance desired) {
  TRY(check_name(found));
  TRY(check_room(desired));
  TRY(forget_models());
  // Another number each time, also where two ask within a millisecond.
  desired.asked = static_cast<std::uint64_t>(rooms_.clock.wall().time_since_epoch() /
                                             std::chrono::milliseconds(1));
  const auto wanted = rooms_.map.wanted();
  if (const auto before = wanted.find(desired.model); before != wanted.end())
    desired.asked = std::max(desired.asked, before->second.asked + 1);
  TRY(rooms_.put(std::string(kSourcePrefix) + desired.model, to_json(found.source)));
  TRY(rooms_.put(std::string(kModelPrefix) + desired.model, to_json(found.figures)));
  TRY(rooms_.put(want_key(desired.model), to_json(desired)));
  rooms_.changed();
  return desired;
}

Result<void> InstanceWishes::unwant(const std::string& model) {
  if (!is_wanted(model)) {
    std::string loaded;
    for (const std::string& key : rooms_.view.keys(kWantPrefix))
      loaded += (loaded.empty() ? "" : ", ") + key.substr(kWantPrefix.size());
    return Error(Errc::not_found, fmt::format("{} is not loaded; loaded: {}", model,
                                              loaded.empty() ? "nothing" : loaded));
  }
  TRY(rooms_.put(want_key(model), nullptr));
  rooms_.changed();
  return {};
}

}  // namespace drystone
