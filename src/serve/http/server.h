#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "serve/http/endpoints.h"
#include "serve/http/limits.h"
#include "serve/http/model_host.h"
#include "serve/http/served_model.h"
#include "serve/http/tls_identity.h"

namespace drystone {

struct ServerOptions {
  std::string address = "127.0.0.1";      // an IP address, or localhost
  std::uint16_t port = 0;                 // 0: any free one
  std::string address_flag = "--listen";  // where a person chose them, for messages
  std::vector<std::string> api_keys;      // lines as ApiKeys takes them; required beyond loopback
  std::vector<std::string> cors_origins;  // whose web pages may use the server; "*": all
  TlsFiles tls;                           // empty: plain HTTP
  // Of a model that is on its way, announced from the start; empty: none is.
  std::vector<std::string> model_names;
  bool needs_model = true;                  // ModelHost's
  std::vector<EndpointsFactory> endpoints;  // besides /health
  ServerLimits limits;
  ServerObserver* observer = nullptr;  // borrowed; may be null
  bool stop_on_signals = false;        // SIGINT and SIGTERM; a second one cancels what still runs
};

// The HTTP server. It listens from the start and answers 503 for models that are not ready.
class Server {
 public:
  // Binds the address. Errors: those of load_tls() and ApiKeys; invalid_argument (no such address;
  // beyond loopback without a key),
  // io (port in use, ...).
  static Result<std::unique_ptr<Server>> listen(ServerOptions options,
                                                const Clock& clock);  // borrows `clock`
  virtual ~Server() = default;

  virtual std::string url() const = 0;  // "http://127.0.0.1:8080"

  // Serves until stop(), then finishes or cancels what runs within limits.stop_grace. Blocks; once.
  virtual void run() = 0;

  // From any thread.
  virtual ModelHost& models() = 0;
  // The model of `model_names`: how far it is loaded, in [0, 1]; and that it is ready.
  virtual void set_progress(double done) = 0;
  virtual void set_model(std::shared_ptr<ServedModel> model) = 0;
  virtual void stop() = 0;
};

}  // namespace drystone
