#pragma once

#include <boost/json.hpp>
#include <string>

#include "serve/http/model_host.h"

namespace drystone {

// The answers of /api/tags, /api/ps and /api/show.
boost::json::object ollama_tags(const ModelHost& host);
boost::json::object ollama_running(const ModelHost& host);
boost::json::object ollama_show(const ServedModel& model);

}  // namespace drystone
