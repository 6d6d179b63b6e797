#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "app/node/api/node_client.h"
#include "base/result.h"

namespace drystone {

// How a command that asks a running node finds it, and how it shows the answer.
struct ApiFlags {
  std::string url;       // empty: that of `drystone --api URL COMMAND`, else the default
  std::string ca_file;   // empty: that of `drystone --api-ca FILE COMMAND`, else the system's
  std::string key_file;  // empty: $DRYSTONE_API_KEY, else none
  bool json = false;
  CLI::App* command = nullptr;
};

// Adds --api, --api-ca, --api-key-file and --json. Borrows both.
void add_api_flags(CLI::App& command, ApiFlags& flags);

// Adds --api-ca alone.
void add_api_ca(CLI::App& command, std::string& file);

// Whether the command line says which node.
bool is_node_named(const ApiFlags& flags);
// Errors: those of NodeClient::make, io (the key file).
Result<NodeClient> connect_node(const ApiFlags& flags);

// Asks a node that restarts inside its process until the list of nodes that it gives is as wanted;
// at most 10 s.
void wait_for_restart(const NodeClient& node,
                      const std::function<bool(const boost::json::array& nodes)>& is_wanted);
// The id of the node that gave this list; "" if it does not say.
std::string own_id(const boost::json::array& nodes);

void print_json(const boost::json::value& value);
// As it may go to a terminal: other nodes wrote it.
std::string printable(std::string_view text);
// A text field of an answer; "" where there is none.
std::string text_of(const boost::json::value& object, std::string_view name);

}  // namespace drystone
