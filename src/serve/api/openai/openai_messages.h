#pragma once

#include <boost/json.hpp>

#include "serve/http/request_fields.h"

namespace drystone {

// Makes a request's `messages` what chat templates expect: text parts joined to one string,
// developer as system, the arguments of tool calls as objects. Mistakes go to `fields`, which found
// `messages`.
boost::json::array read_messages(RequestFields& fields);

}  // namespace drystone
