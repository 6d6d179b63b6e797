#pragma once

#include <boost/json.hpp>
#include <string>

#include "serve/http/model_host.h"

namespace drystone {

// A model as /v1/models shows it, with the length of its context under each of the names that
// clients look for.
boost::json::object show_model(const std::string& name, const ModelHost& host,
                               const ServedModel& model);

boost::json::object list_models(const ModelHost& host, const ServedModel& model);

}  // namespace drystone
