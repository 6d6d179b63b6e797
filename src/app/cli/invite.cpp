#include <fmt/format.h>

#include "app/cli/api_flags.h"
#include "app/cli/command.h"
#include "app/cli/commands.h"

namespace drystone {
namespace {

struct InviteFlags {
  ApiFlags api;
  std::int64_t hours = 1, uses = 1;
  bool is_short = false;
};

Result<void> invite(const InviteFlags& flags) {
  const NodeClient node = TRY(connect_node(flags.api));
  const auto answer = TRY(node.post(
      "/cluster/v1/invitations",
      {{"expires_s", flags.hours * 3600}, {"uses", flags.uses}, {"addresses", !flags.is_short}}));
  if (flags.api.json)
    print_json(answer);
  else
    fmt::print("{}\n", text_of(answer, "code"));
  return {};
}

}  // namespace

void add_invite(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<InviteFlags>();
  CLI::App& command =
      *app.add_subcommand("invite", "Print a code with which another machine joins this cluster");
  command.add_option("--hours", flags->hours, "How long it is good [1]")
      ->check(CLI::Range(1, 720).description(""))
      ->type_name("N");
  command.add_option("--uses", flags->uses, "How many machines it lets in [1]")
      ->check(CLI::Range(1, 1024).description(""))
      ->type_name("N");
  command.add_flag("--short", flags->is_short,
                   "Without addresses, to type by hand: good where multicast reaches");
  add_api_flags(command, flags->api);
  command.footer(R"(Whoever has the code can join: hand it over as you would a password.
Example:
  drystone invite --uses 3
and on each of the others:
  drystone up --join CODE)");
  command.callback([flags, &exit_code] { exit_code = finish("invite", invite(*flags)); });
}

}  // namespace drystone
