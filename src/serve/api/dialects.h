#pragma once

#include <vector>

#include "serve/http/endpoints.h"

namespace drystone {

// Every dialect of the API that a server speaks.
std::vector<EndpointsFactory> all_dialects();

}  // namespace drystone
