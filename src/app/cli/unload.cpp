#include <fmt/format.h>

#include <memory>
#include <string>

#include "app/cli/api_flags.h"
#include "app/cli/command.h"
#include "app/cli/commands.h"

namespace drystone {
namespace {

struct UnloadFlags {
  ApiFlags api;
  std::string model;
};

Result<void> unload(const UnloadFlags& flags) {
  const NodeClient node = TRY(connect_node(flags.api));
  const auto answer = TRY(node.post("/cluster/v1/unload", {{"model", flags.model}}));
  if (flags.api.json)
    print_json(answer);
  else
    fmt::print("{} is being unloaded\n", text_of(answer, "model"));
  return {};
}

}  // namespace

void add_unload(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<UnloadFlags>();
  CLI::App& command = *app.add_subcommand("unload", "Have the cluster run a model no longer");
  command.add_option("MODEL", flags->model, "Its name, as `drystone ps` shows it")
      ->required()
      ->type_name("");
  add_api_flags(command, flags->api);
  command.footer("Example:\n  drystone unload pebble");
  command.callback([flags, &exit_code] { exit_code = finish("unload", unload(*flags)); });
}

}  // namespace drystone
