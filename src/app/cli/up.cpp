#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>

#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/cli/listen_flags.h"
#include "app/node/run_node.h"
#include "app/node/state_folder.h"

namespace drystone {
namespace {

struct UpFlags {
  NodeOptions node;
  std::string state;
  std::string api = "127.0.0.1:8080";
  std::string key_file;
  std::optional<double> memory_gib;
  std::uint32_t peer_port = 0;
  bool no_discovery = false;
};

constexpr double kMemoryGibMax = 1 << 20;

// An empty shell variable is no wish for the default.
CLI::Validator not_empty() {
  return {[](std::string& text) { return std::string(text.empty() ? "it is empty" : ""); }, ""};
}

Result<void> up(UpFlags& flags) {
  TRY(read_listen("--api", flags.api, flags.node.address, flags.node.port));
  TRY(read_api_keys("up", flags.key_file, flags.node.api_keys));
  flags.node.cluster.state = flags.state;
  if (flags.state.empty()) flags.node.cluster.state = TRY(default_state_folder());
  flags.node.cluster.version = DRYSTONE_VERSION;
  flags.node.cluster.discover = !flags.no_discovery;
  flags.node.cluster.peer_port = static_cast<std::uint16_t>(flags.peer_port);
  if (flags.memory_gib) {
    const double gib = *flags.memory_gib;
    if (!(gib > 0 && gib <= kMemoryGibMax))  // nan too
      return Error(
          Errc::invalid_argument,
          fmt::format("--memory {}: expected GiB, more than 0 and at most {}", gib, kMemoryGibMax));
    flags.node.memory_bytes = static_cast<std::uint64_t>(std::ldexp(gib, 30));
  }
  return run_node(std::move(flags.node));
}

}  // namespace

void add_up(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<UpFlags>();
  CLI::App& command =
      *app.add_subcommand("up", "Run this machine as a node: several together hold one model");
  NodeOptions& node = flags->node;
  flags->peer_port = node.cluster.peer_port;
  command
      .add_option("--api", flags->api,
                  "Where the API listens; port 0 takes a free one [127.0.0.1:8080]")
      ->type_name("ADDR:PORT");
  command
      .add_option("--join", node.cluster.join_code,
                  "Join a cluster: the code that `drystone invite` printed there")
      ->check(not_empty())
      ->type_name("CODE");
  command
      .add_option("--peer", node.cluster.peers,
                  "A node that multicast does not find, may be repeated")
      ->type_name("HOST:PORT")
      ->take_all()
      ->expected(1);
  command
      .add_option("--peer-port", flags->peer_port,
                  "Where other nodes reach this one; 0 takes a free one [8399]")
      ->check(CLI::Range(0u, 65535u).description(""))
      ->type_name("N");
  command.add_flag("--no-discovery", flags->no_discovery,
                   "No multicast: only --peer, and addresses in codes");
  command
      .add_option("--name", node.cluster.name, "Its name for people, from now on [the machine's]")
      ->type_name("NAME");
  command
      .add_option("--state", flags->state, "Keeps its key and cluster [~/.local/state/drystone]")
      ->check(not_empty())
      ->type_name("DIR");
  command.add_option("--models", node.model_folders, "Where its model files are, may be repeated")
      ->type_name("DIR")
      ->take_all()
      ->expected(1);
  command.add_option("--threads", node.threads, "Processors that models use [all]")
      ->check(CLI::Range(1u, 1024u).description(""))
      ->type_name("N");
  command.add_option("--memory", flags->memory_gib, "What models may take [what is free]")
      ->type_name("GiB");
  command
      .add_option("--api-key-file", flags->key_file,
                  "Ask clients for one of these keys or hashes, one a line")
      ->type_name("FILE");
  command
      .add_option("--tls-cert", node.tls.certificate,
                  "Serve the API over HTTPS with this certificate (PEM)")
      ->type_name("FILE");
  command.add_option("--tls-key", node.tls.key, "The certificate's private key (PEM)")
      ->type_name("FILE");
  command
      .add_option("--cors", node.cors_origins,
                  "Let web pages of this origin use models, may be repeated")
      ->type_name("ORIGIN")
      ->take_all()
      ->expected(1);
  command.add_option("--log-level", node.log.level, "off, error, warn, info or debug [info]")
      ->type_name("LEVEL");
  command.footer(R"(Example, on two machines:
  first$  drystone up                     and in another window:  drystone invite
  second$ drystone up --join CODE         with the code that it printed
  first$  drystone nodes
SIGINT or SIGTERM ends it; the next `drystone up` goes on in the same cluster.)");
  command.callback([flags, &exit_code] { exit_code = finish("up", up(*flags)); });
}

}  // namespace drystone
