#include <cstddef>
#include <cstdint>
#include <string_view>

#include "app/node/wire/load_request.h"

// Whatever comes, it is read or refused; what was read is within its bounds.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto request = drystone::parse_load_request(text)) {
    CHECK(!request->path_or_name.empty());
    CHECK(request->path_or_name.size() <= drystone::kModelPathMax);
    CHECK(request->desired.replicas <= drystone::kReplicasMax);
  }
  static_cast<void>(drystone::parse_plan_question(text));
  static_cast<void>(drystone::parse_unload_request(text));
  return 0;
}
