#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/request_fields.h"

namespace drystone {

constexpr std::int64_t kTokensMax = 1 << 30;  // beyond any context

// A request's body as a JSON object, bounded in depth. Errors: 400, saying where it is wrong.
ApiResult<boost::json::object> parse_object(std::string_view body);

// A stop string or an array of them under `name`.
void read_stop(RequestFields& fields, std::string_view name, std::vector<std::string>& out);

}  // namespace drystone
