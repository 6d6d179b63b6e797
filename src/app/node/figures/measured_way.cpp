#include "app/node/figures/measured_way.h"

#include <boost/json.hpp>

#include "cluster/plan/link_figures.h"
#include "cluster/state/map_entry.h"
#include "cluster/wire/json_fields.h"

namespace drystone {

std::optional<MeasuredWay> measured_way(const std::string& self, std::string_view text) {
  const auto value =
      parse_json(text, {.bytes_max = cluster::kMapValueBytesMax, .depth_max = 8}, "a link");
  if (!value) return std::nullopt;
  auto link = link_figures_from_json(*value);
  if (!link) return std::nullopt;
  if (link->to == self) *link = turned(*link);
  if (link->from != self) return std::nullopt;
  MeasuredWay way{.node = link->to, .to = std::nullopt};
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(link->to_address, error);
  if (!error) way.to = address;
  return way;
}

}  // namespace drystone
