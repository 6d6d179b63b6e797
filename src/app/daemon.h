#pragma once

#include <string>
#include <vector>

#include "app/load/load_engine.h"
#include "base/result.h"
#include "serve/http/server.h"
#include "serve/metrics/request_log.h"

namespace drystone {

struct DaemonOptions {
  EngineFlags engine;
  std::vector<std::string> names;  // besides the model's own, which stands first
                                   // unless some are given
  ServerOptions api;               // where it listens, and who may use it; the rest is filled in
  LogOptions log;
};

// The server program: listens, loads the model meanwhile, and serves until
// SIGINT or SIGTERM. Builds every part and hands each what it needs. Prints one
// line when it is ready. Errors: those of Server::listen and load_engine.
Result<void> run_daemon(const DaemonOptions& options);

}  // namespace drystone
