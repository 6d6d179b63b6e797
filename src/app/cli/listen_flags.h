#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

#include "base/result.h"
#include "serve/http/server.h"
#include "serve/metrics/request_log.h"

namespace drystone {

// What `serve` and `up` read alike: where an API listens, who may use it, and what is logged.
struct ListenFlags {
  ServerOptions api;
  LogOptions log;
  std::string listen = "127.0.0.1:8080";
  std::string key_file;
};

// Adds the option `flag` (--listen) for the place. Borrows both, as the next one.
void add_listen_flag(CLI::App& command, const std::string& flag, const std::string& description,
                     ListenFlags& flags);
// Adds --api-key-file, --tls-cert, --tls-key, --cors and --log-level.
void add_access_flags(CLI::App& command, ListenFlags& flags);

// Fills in `api` from what was given: the place ("127.0.0.1:8080", "[::1]:8080", ":8080", "8080"),
// the lines of the key file (blank ones are skipped), and $DRYSTONE_API_KEY. Says on behalf of
// `command` when the file holds keys in the clear.
// Errors: invalid_argument (no such place; the file has no key), io.
Result<void> read_listen_flags(std::string_view command, ListenFlags& flags);

}  // namespace drystone
