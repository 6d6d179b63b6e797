// Placements and figures come from other nodes: any bytes must be refused or read, and what was
// read must come out the same when it is written and read again.

#include <boost/json.hpp>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "cluster/plan/link_figures.h"
#include "cluster/plan/model_figures.h"
#include "cluster/plan/node_figures.h"
#include "cluster/plan/placement.h"
#include "cluster/wire/json_fields.h"

namespace drystone {
namespace {

template <typename T>
void check_read_again(const Result<T>& read, Result<T> (*reader)(const boost::json::value&)) {
  if (!read) return;
  const std::string text = boost::json::serialize(to_json(*read));
  const auto again = reader(boost::json::parse(text));
  CHECK(again.has_value() && *again == *read, text);
}

}  // namespace
}  // namespace drystone

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drystone;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_read_again(parse_placement(text), placement_from_json);
  const auto value = parse_json(text, {.bytes_max = kPlacementJsonMax}, "figures");
  if (!value) return 0;
  check_read_again(model_figures_from_json(*value), model_figures_from_json);
  check_read_again(node_figures_from_json(*value), node_figures_from_json);
  check_read_again(link_figures_from_json(*value), link_figures_from_json);
  return 0;
}
