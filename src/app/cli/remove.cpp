#include <fmt/format.h>

#include "app/cli/api_flags.h"
#include "app/cli/command.h"
#include "app/cli/commands.h"

namespace drystone {
namespace {

struct RemoveFlags {
  ApiFlags api;
  std::string node;
};

Result<void> remove_node(const RemoveFlags& flags) {
  const NodeClient node = TRY(connect_node(flags.api));
  const auto answer = TRY(node.post("/cluster/v1/nodes/remove", {{"node", flags.node}}));
  if (flags.api.json)
    print_json(answer);
  else
    fmt::print("{} is out, everywhere and for good\n", printable(flags.node));
  return {};
}

}  // namespace

void add_remove(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<RemoveFlags>();
  CLI::App& command = *app.add_subcommand("remove", "Put a node out of the cluster");
  command.add_option("NODE", flags->node, "Its name, its id, or the beginning of its id")
      ->required()
      ->type_name("");
  add_api_flags(command, flags->api);
  command.footer(
      R"(Its key opens nothing any more; open invitations are void. The machine can come back
with a new code.
Example:
  drystone remove attic)");
  command.callback([flags, &exit_code] { exit_code = finish("remove", remove_node(*flags)); });
}

}  // namespace drystone
