#include "cluster/plan/node_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "cluster/plan/model_figures.h"
#include "cluster/wire/json_fields.h"

namespace drystone {
namespace {

namespace json = boost::json;

constexpr Bytes kMemoryMax = Bytes{1} << 56;
constexpr double kFixedMax_s = 60;

Bytes less(Bytes from, Bytes taken) { return from > taken ? from - taken : 0; }

template <typename T>
void put(json::object& out, std::string_view name, const std::optional<T>& value) {
  if (value) out[name] = *value;
}

void read_rates(JsonFields& node, std::map<std::string, Rates>& rates) {
  const json::value* value = node.find("rates");
  if (value == nullptr) return;
  const json::object* object = value->if_object();
  if (object == nullptr) return node.fail("rates", "is no object");
  if (object->size() > kRatesMax)
    return node.fail("rates", fmt::format("has more than {} types", kRatesMax));
  for (const auto& [type, pair] : *object) {
    if (type.size() > kPlanNameMax) return node.fail("rates", "has a type of a long name");
    JsonFields fields(pair, fmt::format("rates of {}", std::string_view(type)));
    Rates& rate = rates[type];
    fields.maybe_number("prompt", rate.prompt, kRateMin, kRateMax);
    fields.maybe_number("generated", rate.generated, kRateMin, kRateMax);
    fields.maybe_number("few", rate.few, kRateMin, kRateMax);
    fields.maybe_number("streamed", rate.streamed, kRateMin, kRateMax);
    if (auto read = fields.finish(); !read) return node.fail(std::move(read).error());
  }
}

}  // namespace

std::optional<Bytes> NodeFigures::available_bytes() const {
  std::optional<Bytes> available;
  if (free_bytes) available = less(*free_bytes, reserve_bytes);
  if (limit_bytes) {
    const Bytes left = less(*limit_bytes, reserved_bytes);
    available = available ? std::min(*available, left) : left;
  }
  return available;
}

NodeFigures NodeFigures::with_reserved(Bytes bytes) const {
  NodeFigures node = *this;
  if (node.free_bytes) node.free_bytes = less(*node.free_bytes + node.reserved_bytes, bytes);
  node.given_back += static_cast<std::int64_t>(reserved_bytes) - static_cast<std::int64_t>(bytes);
  node.reserved_bytes = bytes;
  return node;
}

json::object to_json(const NodeFigures& node) {
  json::object rates;
  for (const auto& [type, rate] : node.rates) {
    json::object pair;
    put(pair, "prompt", rate.prompt);
    put(pair, "generated", rate.generated);
    put(pair, "few", rate.few);
    put(pair, "streamed", rate.streamed);
    rates[type] = std::move(pair);
  }
  json::object out = {{"id", node.id},
                      {"name", node.name},
                      {"reserved_bytes", node.reserved_bytes},
                      {"reserve_bytes", node.reserve_bytes},
                      {"rates", std::move(rates)},
                      {"cores", node.cores}};
  if (!node.memory_id.empty()) out["memory_id"] = node.memory_id;
  put(out, "total_bytes", node.total_bytes);
  put(out, "free_bytes", node.free_bytes);
  put(out, "limit_bytes", node.limit_bytes);
  put(out, "read_bandwidth", node.read_bandwidth);
  put(out, "step_fixed_s", node.step_fixed_s);
  put(out, "layer_fixed_s", node.layer_fixed_s);
  put(out, "measuring", node.measuring);
  return out;
}

Result<NodeFigures> node_figures_from_json(const json::value& value) {
  NodeFigures node;
  JsonFields fields(value, "figures of a node");
  fields.string("id", node.id, kPlanNameMax);
  fields.string("name", node.name, kPlanNameMax);
  fields.maybe_integer("total_bytes", node.total_bytes, 0, kMemoryMax);
  fields.maybe_integer("free_bytes", node.free_bytes, 0, kMemoryMax);
  fields.maybe_integer("reserved_bytes", node.reserved_bytes, 0, kMemoryMax);
  fields.maybe_integer("limit_bytes", node.limit_bytes, 0, kMemoryMax);
  fields.maybe_integer("reserve_bytes", node.reserve_bytes, 0, kMemoryMax);
  fields.maybe_number("read_bandwidth", node.read_bandwidth, kRateMin, kRateMax);
  if (fields.find("memory_id") != nullptr) fields.string("memory_id", node.memory_id, kPlanNameMax);
  read_rates(fields, node.rates);
  fields.maybe_number("step_fixed_s", node.step_fixed_s, 0, kFixedMax_s);
  fields.maybe_number("layer_fixed_s", node.layer_fixed_s, 0, kFixedMax_s);
  fields.maybe_integer("cores", node.cores, 0, 1 << 16);
  if (fields.find("measuring") != nullptr) fields.boolean("measuring", node.measuring.emplace());
  TRY(fields.finish());
  if (node.id.empty()) return Error(Errc::corrupt, "figures of a node: no id");
  return node;
}

}  // namespace drystone
