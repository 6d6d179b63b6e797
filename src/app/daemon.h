#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/load/load_engine.h"
#include "base/result.h"
#include "serve/http/tls_identity.h"
#include "serve/metrics/request_log.h"

namespace drystone {

struct DaemonOptions {
  EngineFlags engine;
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;
  std::vector<std::string> api_keys;
  std::vector<std::string> names;  // besides the model's own, which stands first
                                   // unless some are given
  std::vector<std::string> cors_origins;
  TlsFiles tls;
  LogOptions log;
};

// The server program: listens, loads the model meanwhile, and serves until
// SIGINT or SIGTERM. Builds every part and hands each what it needs. Prints one
// line when it is ready. Errors: those of Server::listen and load_engine.
Result<void> run_daemon(const DaemonOptions& options);

}  // namespace drystone
