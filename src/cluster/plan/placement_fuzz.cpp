// Placements and figures come from other nodes: any bytes must be refused or read, and what was
// read must come out the same when it is written and read again.

#include <cstdint>
#include <string_view>

#include "cluster/plan/link_figures.h"
#include "cluster/plan/model_figures.h"
#include "cluster/plan/node_figures.h"
#include "cluster/plan/placement.h"
#include "cluster/wire/json_fields.h"
#include "cluster/wire/test_read_again.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drystone;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = parse_json(text, {.bytes_max = kPlacementJsonMax}, "placement");
  if (!value) return 0;
  check_read_again(*value, placement_from_json);
  check_read_again(*value, model_figures_from_json);
  check_read_again(*value, node_figures_from_json);
  check_read_again(*value, link_figures_from_json);
  return 0;
}
