#include <fmt/format.h>

#include "app/cli/api_flags.h"
#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/cli/json_look.h"

namespace drystone {
namespace {

struct JoinFlags {
  ApiFlags api;
  std::string code;
};

Result<void> join(const JoinFlags& flags) {
  const NodeClient node = TRY(connect_node(flags.api));
  const auto answer = TRY(node.post("/cluster/v1/join", {{"code", flags.code}}));
  wait_for_restart(node, [](const boost::json::array& nodes) { return nodes.size() > 1; });
  if (flags.api.json)
    print_json(answer);
  else
    fmt::print("joined; `drystone nodes` shows who is there\n");
  std::string dropped;
  for (const auto& model : list_of(answer, "dropped"))
    if (const auto* name = model.if_string())
      dropped += (dropped.empty() ? "" : ", ") + printable(*name);
  if (!dropped.empty() && !flags.api.json)
    fmt::print(
        "this node ran {} until now and does not any more: `drystone load` has the cluster "
        "run it\n",
        dropped);
  return {};
}

}  // namespace

void add_join(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<JoinFlags>();
  CLI::App& command = *app.add_subcommand("join", "Take this node into another cluster");
  command.add_option("CODE", flags->code, "What `drystone invite` printed there")
      ->required()
      ->type_name("");
  add_api_flags(command, flags->api);
  command.footer(R"(The node must run (`drystone up`) and be alone; else `drystone leave` first.
Example:
  drystone join abcd-efgh-ijkl-mnop-qrst-uvwx-yz23@192.0.2.7:8399)");
  command.callback([flags, &exit_code] { exit_code = finish("join", join(*flags)); });
}

}  // namespace drystone
