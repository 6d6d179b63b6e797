#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "serve/http/request_fields.h"

namespace drystone {

// Makes a request's `messages` what chat templates expect: text parts joined to one string,
// developer as system, the arguments of tool calls as objects. Mistakes go to `fields`, which found
// `messages`; names of members that are dropped go to `ignored`.
boost::json::array read_messages(RequestFields& fields, std::vector<std::string>& ignored);

}  // namespace drystone
