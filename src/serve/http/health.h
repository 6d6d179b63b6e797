#pragma once

#include "serve/http/endpoints.h"

namespace drystone {

// GET /health: 200 {"status": "ok"}, or 503 with the progress of loading.
std::unique_ptr<Endpoints> health_endpoint(const EndpointsContext& context);

}  // namespace drystone
