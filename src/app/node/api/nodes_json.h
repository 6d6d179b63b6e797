#pragma once

#include <boost/json/array.hpp>

#include "app/node/members/cluster_host.h"

namespace drystone {

// The answer of GET /cluster/v1/nodes (docs/formats/cluster.md): every member with its figures and
// links. What is not known is absent. On the host's loop.
boost::json::array nodes_json(ClusterHost& host);

}  // namespace drystone
