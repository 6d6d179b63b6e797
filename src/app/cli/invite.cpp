#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>

#include "app/cli/api_flags.h"
#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/cli/json_look.h"
#include "base/clock.h"

namespace drystone {
namespace {

struct InviteFlags {
  ApiFlags api;
  std::int64_t hours = 1, uses = 1;
  bool is_short = false, list = false;
  std::string withdraw;
};

// "59 min", "23 h".
std::string time_left(double until_unix_s) {
  const double now = std::chrono::duration<double>(SystemClock().wall().time_since_epoch()).count();
  const double minutes = std::max(0.0, (until_unix_s - now) / 60);
  return minutes < 120 ? fmt::format("{:.0f} min", minutes) : fmt::format("{:.0f} h", minutes / 60);
}

Result<void> list_invitations(const InviteFlags& flags) {
  const NodeClient node = TRY(connect_node(flags.api));
  const auto answer = TRY(node.get("/cluster/v1/invitations"));
  const auto* list = answer.if_array();
  if (list == nullptr)
    return Error(Errc::corrupt, "what the node answers is no list of invitations");
  if (flags.api.json) {
    print_json(answer);
    return {};
  }
  if (list->empty()) fmt::print("no invitation is open; `drystone invite` makes one\n");
  for (const auto& one : *list) {
    const double uses = number_of(one, "uses").value_or(0),
                 used = number_of(one, "used").value_or(0);
    fmt::print("{}  lets in {:.0f} more of {:.0f}, for {}\n", text_of(one, "id"), uses - used, uses,
               time_left(number_of(one, "expires_unix_s").value_or(0)));
  }
  return {};
}

Result<void> withdraw(const InviteFlags& flags) {
  const NodeClient node = TRY(connect_node(flags.api));
  const auto answer =
      TRY(node.post("/cluster/v1/invitations/withdraw", {{"invitation", flags.withdraw}}));
  if (flags.api.json)
    print_json(answer);
  else
    fmt::print("{} is withdrawn: its code lets nobody in any more\n", text_of(answer, "withdrawn"));
  return {};
}

Result<void> invite(const InviteFlags& flags) {
  if (flags.list) return list_invitations(flags);
  if (!flags.withdraw.empty()) return withdraw(flags);
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
  auto* list =
      command.add_flag("--list", flags->list, "Show the open invitations instead: ids, not codes");
  command
      .add_option("--withdraw", flags->withdraw,
                  "End an open invitation instead: its id, or the beginning of it")
      ->check(CLI::Validator(
          [](std::string& text) {
            return std::string(text.empty() ? "names none; `drystone invite --list` shows them"
                                            : "");
          },
          ""))
      ->type_name("ID")
      ->excludes(list);
  add_api_flags(command, flags->api);
  command.footer(R"(Whoever has the code can join: hand it over as you would a password.
Example:
  drystone invite --uses 3
and on each of the others:
  drystone up --join CODE)");
  command.callback([flags, &exit_code] { exit_code = finish("invite", invite(*flags)); });
}

}  // namespace drystone
