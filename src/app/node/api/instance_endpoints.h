#pragma once

#include "app/node/instances/instance_host.h"
#include "serve/http/endpoints.h"

namespace drystone {

// POST /cluster/v1/plan, /load and /unload, GET /cluster/v1/instances
// and /unloaded
// (docs/formats/cluster-api.md). Borrows the host, which outlives the server's run().
EndpointsFactory instance_endpoints(InstanceHost& host);

}  // namespace drystone
