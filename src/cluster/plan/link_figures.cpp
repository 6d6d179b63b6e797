#include "cluster/plan/link_figures.h"

#include <boost/json.hpp>

#include "cluster/plan/model_figures.h"
#include "cluster/wire/json_fields.h"

namespace drystone {
namespace {

namespace json = boost::json;

constexpr double kTimeMax_s = 3600;
constexpr double kBandwidthMin = 1, kBandwidthMax = 1e15;

}  // namespace

LinkFigures turned(const LinkFigures& link) {
  return {.from = link.to,
          .to = link.from,
          .round_trip_s = link.round_trip_s,
          .exchange_s = link.exchange_s,
          .bandwidth = link.bandwidth_back,
          .bandwidth_back = link.bandwidth,
          .from_interface = link.to_interface,
          .to_interface = link.from_interface,
          .from_address = link.to_address,
          .to_address = link.from_address};
}

json::object to_json(const LinkFigures& link) {
  json::object out = {{"from", link.from}, {"to", link.to}};
  const auto put = [&](std::string_view name, const std::optional<double>& value) {
    if (value) out[name] = *value;
  };
  put("round_trip_s", link.round_trip_s);
  put("exchange_s", link.exchange_s);
  put("bandwidth", link.bandwidth);
  put("bandwidth_back", link.bandwidth_back);
  if (!link.from_interface.empty()) out["from_interface"] = link.from_interface;
  if (!link.to_interface.empty()) out["to_interface"] = link.to_interface;
  if (!link.from_address.empty()) out["from_address"] = link.from_address;
  if (!link.to_address.empty()) out["to_address"] = link.to_address;
  return out;
}

Result<LinkFigures> link_figures_from_json(const json::value& value) {
  LinkFigures link;
  JsonFields fields(value, "figures of a link");
  fields.string("from", link.from, kPlanNameMax);
  fields.string("to", link.to, kPlanNameMax);
  fields.maybe_number("round_trip_s", link.round_trip_s, 0, kTimeMax_s);
  fields.maybe_number("exchange_s", link.exchange_s, 0, kTimeMax_s);
  fields.maybe_number("bandwidth", link.bandwidth, kBandwidthMin, kBandwidthMax);
  fields.maybe_number("bandwidth_back", link.bandwidth_back, kBandwidthMin, kBandwidthMax);
  fields.maybe_string("from_interface", link.from_interface, kPlanNameMax);
  fields.maybe_string("to_interface", link.to_interface, kPlanNameMax);
  fields.maybe_string("from_address", link.from_address, kPlanNameMax);
  fields.maybe_string("to_address", link.to_address, kPlanNameMax);
  TRY(fields.finish());
  if (link.from.empty() || link.to.empty() || link.from == link.to)
    return Error(Errc::corrupt, "figures of a link: it does not join two nodes");
  return link;
}

void LinkTable::set(const LinkFigures& link) { links_[{link.from, link.to}] = link; }

LinkFigures LinkTable::between(const std::string& from, const std::string& to) const {
  const auto there = links_.find({from, to});
  const auto back = links_.find({to, from});
  LinkFigures link{.from = from, .to = to};
  if (there != links_.end()) link = there->second;
  if (back == links_.end()) return link;
  // What one side did not measure the other may have.
  const LinkFigures other = turned(back->second);
  const auto fill = [](auto& figure, const auto& from_other) {
    if (!figure) figure = from_other;
  };
  fill(link.round_trip_s, other.round_trip_s);
  fill(link.exchange_s, other.exchange_s);
  fill(link.bandwidth, other.bandwidth);
  fill(link.bandwidth_back, other.bandwidth_back);
  if (link.from_interface.empty() && link.to_interface.empty()) {
    link.from_interface = other.from_interface;
    link.to_interface = other.to_interface;
    link.from_address = other.from_address;
    link.to_address = other.to_address;
  }
  return link;
}

}  // namespace drystone
