#include "cluster/instance/part_state.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <limits>

#include "cluster/wire/json_fields.h"

namespace drystone {
namespace {

namespace json = boost::json;

constexpr PartPhase kPhases[] = {PartPhase::loading, PartPhase::ready, PartPhase::failed,
                                 PartPhase::lost};

}  // namespace

std::string_view to_string(PartPhase phase) {
  switch (phase) {
    case PartPhase::loading:
      return "loading";
    case PartPhase::ready:
      return "ready";
    case PartPhase::failed:
      return "failed";
    case PartPhase::lost:
      return "lost";
  }
  CHECK(false, static_cast<int>(phase));
}

json::object to_json(const PartState& state) {
  json::object out = {{"epoch", state.epoch.number},
                      {"keeper", state.epoch.keeper},
                      {"phase", to_string(state.phase)},
                      {"boot", state.boot},
                      {"progress", state.progress}};
  if (!state.error.empty()) out["error"] = state.error;
  return out;
}

Result<PartState> part_state_from_json(const json::value& value) {
  PartState state;
  JsonFields fields(value, "state of a part");
  std::string phase;
  fields.integer("epoch", state.epoch.number, 0, std::numeric_limits<std::int64_t>::max());
  fields.string("keeper", state.epoch.keeper, kPlanNameMax);
  fields.string("phase", phase, kPlanNameMax);
  fields.integer("boot", state.boot, 0, std::numeric_limits<std::uint64_t>::max());
  fields.number("progress", state.progress, 0, 1);
  fields.maybe_string("error", state.error, kPartErrorMax);
  TRY(fields.finish());
  for (const PartPhase known : kPhases)
    if (phase == to_string(known)) {
      state.phase = known;
      return state;
    }
  return Error(Errc::corrupt, fmt::format("state of a part: \"{}\" is no phase", phase));
}

}  // namespace drystone
