#pragma once

#include "app/node/members/cluster_host.h"
#include "serve/http/endpoints.h"

namespace drystone {

// The local API of membership (docs/formats/cluster.md):
//   GET  /cluster/v1/nodes
//   GET  /cluster/v1/invitations
//   POST /cluster/v1/invitations   {"expires_s", "uses", "addresses"}
//   POST /cluster/v1/invitations/withdraw  {"invitation"}
//   POST /cluster/v1/join          {"code"}
//   POST /cluster/v1/leave
//   POST /cluster/v1/nodes/remove  {"node"}
// All of it is administrative: web pages of other origins are refused, whatever key they send.
// Borrows the host and the clock, which must live until the server has stopped.
EndpointsFactory cluster_endpoints(ClusterHost& host, const Clock& clock);

// For endpoints under /cluster/v1: the refusal for a request that some page in a browser has sent.
std::optional<ApiError> refuse_foreign_page(const HttpRequest& request);
// An error of the cluster for who asked: status by its code, whose name is the body's `code`
// (docs/formats/cluster-api.md).
ApiError cluster_api_error(const Error& error);

}  // namespace drystone
