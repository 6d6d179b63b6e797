#include <fmt/format.h>

#include "app/cli/api_flags.h"
#include "app/cli/command.h"
#include "app/cli/commands.h"

namespace drystone {
namespace {

Result<void> leave(const ApiFlags& flags) {
  const NodeClient node = TRY(connect_node(flags));
  const auto before = TRY(node.get("/cluster/v1/nodes"));
  const std::string id = before.is_array() ? own_id(before.as_array()) : std::string();
  const auto answer = TRY(node.post("/cluster/v1/leave", {}));
  wait_for_restart(node, [&](const boost::json::array& nodes) {
    return !own_id(nodes).empty() && own_id(nodes) != id;
  });
  if (flags.json)
    print_json(answer);
  else
    fmt::print("left; this node goes on in a cluster of its own\n");
  return {};
}

}  // namespace

void add_leave(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<ApiFlags>();
  CLI::App& command = *app.add_subcommand("leave", "Take this node out of its cluster");
  add_api_flags(command, *flags);
  command.footer(R"(It gets a new key; to come back it needs a new code.
Example:
  drystone leave)");
  command.callback([flags, &exit_code] { exit_code = finish("leave", leave(*flags)); });
}

}  // namespace drystone
