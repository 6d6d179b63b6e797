#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/node/cluster_host.h"
#include "base/result.h"
#include "serve/http/tls_identity.h"
#include "serve/metrics/request_log.h"

namespace drystone {

struct NodeOptions {
  ClusterHost::Options cluster;
  std::string address = "127.0.0.1";  // of the API
  std::uint16_t port = 8080;          // 0: any free one
  std::vector<std::string> api_keys;
  std::vector<std::string> cors_origins;
  TlsFiles tls;
  LogOptions log;
  unsigned threads = 0;                       // of models; 0: all processors
  std::optional<std::uint64_t> memory_bytes;  // models may take; empty: what is free
  std::vector<std::string> model_folders;
};

// `drystone up`: a node of a cluster, until SIGINT or SIGTERM. Builds every part and hands each
// what it needs; anew when the node has joined, left, or was put out. Prints one line when it is
// up, and one for each event that a person should know. Errors: those of ClusterHost::open and
// Server::listen.
Result<void> run_node(NodeOptions options);

}  // namespace drystone
