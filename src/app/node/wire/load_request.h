#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cluster/instance/desired.h"

namespace drystone {

constexpr std::size_t kLoadRequestMax = 64 << 10;  // bytes
constexpr std::size_t kModelPathMax = 4096;

// The body of POST /cluster/v1/load: DesiredInstance (docs/formats/placement.md), whose
// model may also be a path.
struct LoadRequest {
  std::string path_or_name;
  DesiredInstance desired;  // without its model
};
// Errors: limit, invalid_argument (which field, and what was expected).
Result<LoadRequest> parse_load_request(std::string_view body);

// The body of POST /cluster/v1/plan: the same, and which prompt its speeds are told for.
struct PlanQuestion {
  LoadRequest wish;
  std::uint32_t prompt_tokens = 0;  // 0: not said
};
// Errors: as above.
Result<PlanQuestion> parse_plan_question(std::string_view body);

// {"model": NAME}. Errors: as above.
Result<std::string> parse_unload_request(std::string_view body);

}  // namespace drystone
