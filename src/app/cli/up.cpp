#include <fmt/format.h>

#include <boost/asio/ip/address.hpp>
#include <cmath>
#include <memory>
#include <optional>
#include <string>

#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/cli/listen_flags.h"
#include "app/node/run_node.h"
#include "app/node/state/state_folder.h"

namespace drystone {
namespace {

struct UpFlags {
  NodeOptions node;
  std::string state;
  ListenFlags listen;
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
  TRY(read_listen_flags("up", flags.listen));
  flags.node.api = std::move(flags.listen.api);
  flags.node.log = std::move(flags.listen.log);
  flags.node.cluster.state = flags.state;
  if (flags.state.empty()) flags.node.cluster.state = TRY(default_state_folder());
  flags.node.cluster.version = DRYSTONE_VERSION;
  if (const std::string& address = flags.node.cluster.peer_address; !address.empty()) {
    boost::system::error_code error;
    const auto parsed = boost::asio::ip::make_address(address, error);
    if (error)
      return Error(Errc::invalid_argument,
                   fmt::format("--peer-address {}: expected an IP address of this machine, such as "
                               "10.0.0.7 or 127.0.0.1",
                               address));
    // Who takes nobody from other machines does not call them either.
    flags.no_discovery |= parsed.is_loopback();
  }
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
  add_listen_flag(command, "--api",
                  "Where the API listens; port 0 takes a free one [127.0.0.1:8080]", flags->listen);
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
  command
      .add_option("--peer-address", node.cluster.peer_address,
                  "The one address at which they do; 127.0.0.1: this machine alone [all]")
      ->check(not_empty())
      ->type_name("ADDR");
  command.add_flag("--no-discovery", flags->no_discovery,
                   "No multicast: only --peer, and addresses in codes");
  command
      .add_option("--name", node.cluster.name, "Its name for people, from now on [the machine's]")
      ->check(not_empty())
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
  command.add_flag("--measure", node.measure_anew,
                   "Throw away what it has measured of its speed, and measure anew");
  add_access_flags(command, flags->listen);
  command.footer(R"(Example, on two machines:
  first$  drystone up                     and in another window:  drystone invite
  second$ drystone up --join CODE         with the code that it printed
  first$  drystone nodes
SIGINT or SIGTERM ends it; the next `drystone up` goes on in the same cluster.)");
  command.callback([flags, &exit_code] { exit_code = finish("up", up(*flags)); });
}

}  // namespace drystone
