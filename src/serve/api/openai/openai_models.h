#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>

#include "serve/http/model_host.h"

namespace drystone {

// A model as /v1/models shows it, with the length of its context under each of the names that
// clients look for.
boost::json::object show_model(const std::string& name, const HeldModel& held);

// All models under all their names; what is not ready says so in `status`. `now_unix_s` stands in
// for the time at which those were loaded.
boost::json::object list_models(const ModelHost& host, std::int64_t now_unix_s);

}  // namespace drystone
