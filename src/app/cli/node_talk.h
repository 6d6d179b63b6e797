#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/cli/talk.h"
#include "app/node/api/node_client.h"

namespace drystone {

// Whether a node serves, or is about to serve, a model of that name. Errors: those of
// NodeClient::get.
Result<bool> serves(const NodeClient& node, const std::string& model);

// A talk with a model of a running node, over its API. Errors: those of NodeClient::post.
Result<std::unique_ptr<Talk>> talk_to_node(NodeClient node, const std::string& model,
                                           const std::string& system);

}  // namespace drystone
