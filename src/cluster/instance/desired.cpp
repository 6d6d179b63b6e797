#include "cluster/instance/desired.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <limits>

#include "cluster/wire/json_fields.h"

namespace drystone {
namespace {

namespace json = boost::json;

constexpr std::pair<Objective, std::string_view> kObjectives[] = {
    {Objective::automatic, "automatic"},
    {Objective::one_stream, "one_stream"},
    {Objective::many_streams, "many_streams"},
    {Objective::prompt, "prompt"}};

std::string not_one_of(const std::string& name, std::string_view known) {
  constexpr std::size_t kShown = 64;
  return fmt::format("is \"{}\": expected {}", one_line(name, kShown), known);
}

void read_objective(JsonFields& fields, Objective& objective) {
  std::string name = "automatic";
  fields.maybe_string("objective", name, kPlanNameMax);
  for (const auto& [known, text] : kObjectives)
    if (name == text) return objective = known, void();
  fields.fail("objective", not_one_of(name, "automatic, one_stream, many_streams or prompt"));
}

void read_format(JsonFields& fields, KvFormat& format) {
  std::string name = "f16";
  fields.maybe_string("kv_format", name, kPlanNameMax);
  if (const auto known = kv_format_from(name))
    format = *known;
  else
    fields.fail("kv_format", not_one_of(name, "f16, f32 or q8_0"));
}

void read_row_format(JsonFields& fields, std::optional<RowFormat>& format) {
  std::string name;
  fields.maybe_string("row_format", name, kPlanNameMax);
  if (name.empty()) return;
  if (const auto known = row_format_from(name))
    format = *known;
  else
    fields.fail("row_format", not_one_of(name, "f32, f16 or q8"));
}

void read_nodes(JsonFields& fields, std::vector<std::string>& nodes) {
  if (fields.find("nodes") == nullptr) return;
  const json::array* items = fields.need_array("nodes", kPlanNodesMax);
  if (items == nullptr) return;
  for (const json::value& item : *items) {
    const json::string* name = item.if_string();
    if (name == nullptr || name->empty() || name->size() > kPlanNameMax)
      return fields.fail("nodes", "has something that is no name");
    nodes.emplace_back(std::string_view(*name));
  }
}

}  // namespace

PlanRequest DesiredInstance::request(const std::string& instance) const {
  return {.instance = instance,
          .context = context,
          .streams = streams,
          .kv_tokens = kv_tokens,
          .kv_format = kv_format,
          .stages = stages,
          .shards = shards,
          .replicas = 1,
          .row_format = row_format,
          .nodes = nodes,
          .head = head,
          .objective = objective};
}

bool DesiredInstance::same_choice(const DesiredInstance& other) const {
  return stages == other.stages && shards == other.shards && row_format == other.row_format &&
         nodes == other.nodes && head == other.head && objective == other.objective;
}

DesiredInstance DesiredInstance::unforced() const {
  DesiredInstance free = *this;
  free.stages = free.shards = std::nullopt;
  free.row_format = std::nullopt;
  free.nodes.clear();
  free.head.clear();
  return free;
}

std::string instance_name(const std::string& model, std::uint32_t replica) {
  return replica == 0 ? model : fmt::format("{}#{}", model, replica);
}

std::string model_of_instance(const std::string& instance) {
  return instance.substr(0, instance.rfind('#'));
}

json::object to_json(const DesiredInstance& desired) {
  json::object out = {
      {"model", desired.model},         {"context", desired.context},
      {"streams", desired.streams},     {"replicas", desired.replicas},
      {"kv_tokens", desired.kv_tokens}, {"kv_format", to_string(desired.kv_format)}};
  if (desired.stages) out["stages"] = *desired.stages;
  if (desired.shards) out["shards"] = *desired.shards;
  if (!desired.nodes.empty())
    out["nodes"] = json::array(desired.nodes.begin(), desired.nodes.end());
  if (!desired.head.empty()) out["head"] = desired.head;
  if (desired.row_format) out["row_format"] = to_string(*desired.row_format);
  for (const auto& [objective, name] : kObjectives)
    if (objective == desired.objective) out["objective"] = name;
  if (desired.asked > 0) out["asked"] = desired.asked;
  return out;
}

Result<DesiredInstance> desired_from_json(const json::value& value) {
  return read_desired(value, "desired instance");
}

Result<DesiredInstance> read_desired(const json::value& value, std::string_view what) {
  DesiredInstance desired;
  JsonFields fields(value, std::string(what));
  fields.string("model", desired.model, kPlanNameMax - 8);
  fields.maybe_integer("context", desired.context, 0, 1 << 30);
  fields.maybe_integer("streams", desired.streams, 1, 1 << 20);
  fields.maybe_integer("replicas", desired.replicas, 1, kReplicasMax);
  fields.maybe_integer("kv_tokens", desired.kv_tokens, 0, 1 << 30);
  read_format(fields, desired.kv_format);
  fields.maybe_integer("stages", desired.stages, 1, kPartsMax);
  fields.maybe_integer("shards", desired.shards, 1, kRanksMax);
  read_row_format(fields, desired.row_format);
  read_nodes(fields, desired.nodes);
  fields.maybe_string("head", desired.head, kPlanNameMax);
  read_objective(fields, desired.objective);
  fields.maybe_integer("asked", desired.asked, 0, std::numeric_limits<std::int64_t>::max());
  TRY(fields.finish_strictly());
  // '#' parts a model from the number of its replica.
  if (desired.model.empty() || desired.model.find('#') != std::string::npos)
    return Error(Errc::corrupt,
                 fmt::format("{}: \"{}\" is no name of a model", what, desired.model));
  return desired;
}

}  // namespace drystone
