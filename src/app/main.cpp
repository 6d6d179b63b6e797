#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>

#include "app/cli/api_flags.h"
#include "app/cli/command.h"
#include "app/cli/commands.h"

namespace {

// In the order of the help: what people need first stands first.
constexpr void (*kCommands[])(CLI::App&, int&) = {
    drystone::add_run,     drystone::add_serve,    drystone::add_up,       drystone::add_invite,
    drystone::add_join,    drystone::add_nodes,    drystone::add_leave,    drystone::add_remove,
    drystone::add_plan,    drystone::add_load,     drystone::add_unload,   drystone::add_ps,
    drystone::add_inspect, drystone::add_bench,    drystone::add_tokenize, drystone::add_template,
    drystone::add_logits,  drystone::add_generate, drystone::add_quantize, drystone::add_synth,
    drystone::add_key,
};

constexpr const char* kExamples = R"(Examples:
  drystone run pebble "What is a drystone wall?"
  drystone serve pebble
  drystone inspect pebble
MODEL is a GGUF file (any part of a split one), or `pebble`, the small model inside this program.
`drystone COMMAND --help` explains a command.)";

// Which node is asked may stand before the command; of those that ask none, `up` and `serve` have
// flags that sound alike.
void refuse_unused(const CLI::App& app) {
  const CLI::App& command = *app.get_subcommands().front();
  const bool asks = command.get_option_no_throw("--api-ca") != nullptr;
  for (const char* flag : {"--api", "--api-ca"}) {
    if (asks || app.count(flag) == 0) continue;
    const std::string name = command.get_name();
    const std::string instead =
        name == "up"      ? "`drystone up --api ADDRESS:PORT` says where its own API listens"
        : name == "serve" ? "`drystone serve --listen ADDRESS:PORT` says where it listens"
                          : "leave it out";
    throw CLI::ValidationError(
        flag, fmt::format("it has no effect before `{}`, which asks no node: {}", name, instead));
  }
}

int run(int argc, char** argv) {
  int exit_code = drystone::kExitOk;
  CLI::App app("Runs large language models on the machines you have.", "drystone");
  app.set_version_flag("--version", "drystone " DRYSTONE_VERSION);
  app.require_subcommand(1);
  std::string api;  // read by commands that ask a running node (cli/api_flags.h)
  app.add_option("--api", api, "The node that `nodes`, `invite`, ... ask [http://127.0.0.1:8080]")
      ->type_name("URL");
  std::string api_ca;
  drystone::add_api_ca(app, api_ca);
  app.footer(kExamples);
  app.get_formatter()->column_width(34);
  for (const auto add : kCommands) add(app, exit_code);
  app.parse_complete_callback([&app] { refuse_unused(app); });  // before the command's own
  const auto is_named = [&](const CLI::App* command) { return command->get_name() == argv[1]; };
  if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(is_named).empty()) {
    fmt::print(
        stderr,
        "drystone: there is no command '{}'\n  Try `drystone --help` for the list. [usage]\n",
        argv[1]);
    return drystone::kExitUsage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wanted) {  // --help, --version
    const int code = app.exit(wanted);
    if (std::cout.flush()) return code;
    fmt::print(stderr, "drystone: cannot write to the standard output [io]\n");
    return drystone::kExitFailed;
  } catch (const CLI::ParseError& wrong) {
    fmt::print(stderr,
               "drystone: {}\n  Try `drystone --help` or `drystone COMMAND --help`. [usage]\n",
               wrong.what());
    return drystone::kExitUsage;
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& failure) {  // out of memory, mostly
    fmt::print(stderr, "drystone: {}\n", failure.what());
    return drystone::kExitFailed;
  }
}
