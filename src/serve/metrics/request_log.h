#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "serve/http/request_record.h"

namespace drystone {

struct LogOptions {
  std::string level = "info";   // error: the server's failures; warn: also refusals; info: every
                                // request; debug: also /health and /metrics; off
  std::string format = "text";  // or json
};

// One line per request on standard error, when it is over: no prompt, no answer, no key. Writing
// waits for nobody: lines that standard error does not take in time push out older ones.
// Errors: invalid_argument (no such level or format).
Result<std::unique_ptr<ServerObserver>> make_request_log(const LogOptions& options);

// The line of a request, without time and level.
std::string log_line(const RequestRecord& record, bool as_json);

// Tells several observers.
std::unique_ptr<ServerObserver> observe_all(std::vector<ServerObserver*> observers);  // borrowed

}  // namespace drystone
