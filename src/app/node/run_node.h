#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/node/members/cluster_host.h"
#include "base/result.h"
#include "serve/http/server.h"
#include "serve/metrics/request_log.h"

namespace drystone {

struct NodeOptions {
  ClusterHost::Options cluster;
  ServerOptions api;  // where it listens, and who may use it; the rest is filled in
  LogOptions log;
  unsigned threads = 0;                       // of models; 0: all processors
  std::optional<std::uint64_t> memory_bytes;  // models may take; empty: what is free
  std::vector<std::string> model_folders;
  bool measure_anew = false;  // throw away what was measured of this machine at earlier starts
};

// `drystone up`: a node of a cluster, until SIGINT or SIGTERM. Builds every part and hands each
// what it needs; anew when the node has joined, left, or was put out. Prints one line when it is
// up, and one for each event that a person should know. Errors: those of ClusterHost::open and
// Server::listen.
Result<void> run_node(NodeOptions options);

}  // namespace drystone
