#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "app/cli/talk.h"
#include "app/node/api/node_client.h"

namespace drystone {

constexpr std::chrono::seconds kServesWithin{5};

// Whether a node serves, or is about to serve, a model of that name. Errors: those of
// NodeClient::get.
Result<bool> serves(const NodeClient& node, const std::string& model,
                    std::chrono::milliseconds within = kServesWithin);
// The same of a node that nobody has named: false also where nobody listens, or what answers is no
// node. Errors: a node is there and does not say (it wants a key, it is busy), with what to do.
Result<bool> serves_if_there(const NodeClient& node, const std::string& model,
                             std::chrono::milliseconds within = kServesWithin);

// A talk with a model of a running node, over its API. Errors: those of NodeClient::post.
Result<std::unique_ptr<Talk>> talk_to_node(NodeClient node, const std::string& model,
                                           const std::string& system);

}  // namespace drystone
