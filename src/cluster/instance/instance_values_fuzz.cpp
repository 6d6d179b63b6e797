// What stands in the map comes from other nodes: any bytes must be refused or read, and what was
// read must come out the same when it is written and read again.

#include <cstdint>
#include <string_view>

#include "cluster/instance/desired.h"
#include "cluster/instance/load_record.h"
#include "cluster/instance/part_state.h"
#include "cluster/instance/place_value.h"
#include "cluster/wire/json_fields.h"
#include "cluster/wire/test_read_again.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drystone;
  const auto value =
      parse_json({reinterpret_cast<const char*>(data), size}, {.bytes_max = 65536}, "value");
  if (!value) return 0;
  check_read_again(*value, desired_from_json);
  check_read_again(*value, load_record_from_json);
  check_read_again(*value, part_state_from_json);
  check_read_again(*value, place_value_from_json);
  return 0;
}
