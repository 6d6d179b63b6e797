#include "app/node/run_node.h"

#include <fmt/format.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <map>
#include <thread>

#include "app/node/api/cluster_endpoints.h"
#include "app/node/api/instance_endpoints.h"
#include "app/node/figures/figures_host.h"
#include "app/node/instances/instance_host.h"
#include "app/node/members/loop_call.h"
#include "app/node/members/node_name.h"
#include "app/node/models/find_model_file.h"
#include "app/node/models/model_catalog.h"
#include "app/node/stop_signals.h"
#include "base/clock.h"
#include "serve/api/dialects.h"
#include "serve/metrics/serving_metrics.h"
#include "serve/peer/data_door.h"
#include "serve/peer/files/file_server.h"

namespace drystone {
namespace {

using cluster::ClusterEvent;

void say(const std::string& text) {
  fmt::print("drystone: {}\n", text);
  std::fflush(stdout);
}

std::string_view what_happened(ClusterEvent::Kind kind) {
  switch (kind) {
    case ClusterEvent::Kind::node_alive:
      return "is alive";
    case ClusterEvent::Kind::node_suspect:
      return "does not answer";
    case ClusterEvent::Kind::node_dead:
      return "is dead";
    case ClusterEvent::Kind::node_left:
      return "has stopped";
    case ClusterEvent::Kind::node_restarted:
      return "has restarted";
    case ClusterEvent::Kind::member_added:
      return "has joined the cluster";
    case ClusterEvent::Kind::member_removed:
      return "is no member of the cluster any more";
    default:
      return "";
  }
}

// Tells of nodes by name; who was removed is in no list any more, so names are kept.
void tell_of_nodes(ClusterHost& host) {
  std::map<std::string, std::string> names = node_names(host.core());
  host.listen([&host, names = std::move(names)](const ClusterEvent& event) mutable {
    const std::string_view what = what_happened(event.kind);
    if (what.empty() || event.node == host.self()) return;
    for (auto& [id, name] : node_names(host.core())) names[id] = name;
    const auto name = names.find(event.node);
    say(fmt::format("{} ({}) {}", name == names.end() ? "a node" : name->second,
                    event.node.substr(0, 8), what));
  });
}

struct Lived {
  ClusterHost::End end = ClusterHost::End::stopped;
  std::vector<std::string> contacts;
  std::uint16_t peer_port = 0, api_port = 0;
};

std::uint16_t port_of(const std::string& url) {
  return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
}

// Folders are looked at anew with every load, so one that is missing may come yet: a disk that is
// mounted later. What is there and no folder never becomes one.
Result<void> check_model_folders(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    std::error_code error;
    if (std::filesystem::is_directory(folder, error)) continue;
    if (std::filesystem::exists(folder, error))
      return Error(
          Errc::invalid_argument,
          fmt::format("--models {}: it is no folder; name the one that the file is in", folder));
    say(fmt::format("--models {}: there is no such folder; it is looked for again with every load",
                    folder));
  }
  return {};
}

// One life of the node: from its state to its end.
Result<Lived> live(const NodeOptions& options, StopSignals& signals) {
  const SystemClock clock;
  ServingMetrics metrics("");
  const auto log = TRY(make_request_log(options.log));
  const auto observer = observe_all({&metrics, log.get()});

  const auto host = TRY(ClusterHost::open(options.cluster, clock));
  tell_of_nodes(*host);

  DataDoor door;
  host->set_data_handler(
      [&door](std::unique_ptr<DataStream> stream) { door.accept(std::move(stream)); });
  PurposeDialer file_dialer(DataPurpose::files, host->dialer());
  std::vector<std::filesystem::path> folders(options.model_folders.begin(),
                                             options.model_folders.end());
  if (folders.empty()) folders.push_back(default_models_folder());
  const std::shared_ptr<ModelCatalog> catalog =
      open_catalog({.state = options.cluster.state,
                    .folders = folders,
                    .self = host->self(),
                    .threads = static_cast<int>(options.threads),
                    .dialer = &file_dialer,
                    .others = [&host]() -> std::vector<std::string> {
                      using Nodes = Result<std::vector<std::string>>;
                      const auto alive = call_on(
                          host->executor(), [&host] { return host->ended(); },
                          [&host] { return Nodes(host->core().alive()); });
                      return alive ? *alive : std::vector<std::string>();
                    },
                    .wall = [] { return SystemClock().wall(); }});
  // Theirs as long as streams run that read from them.
  const auto files = std::make_shared<FileServer>(
      [catalog](const std::string& identity) { return catalog->whole_files(identity); });
  door.serve(DataPurpose::files,
             [files](std::unique_ptr<DataStream> stream) { files->serve(std::move(stream)); });
  auto instances = std::make_unique<InstanceHost>(
      InstanceHost::Options{.threads = static_cast<int>(options.threads),
                            .memory_bytes = options.memory_bytes.value_or(0),
                            .say = say},
      *host, door, *catalog, clock);
  FiguresHost figures({.state = options.cluster.state,
                       .version = options.cluster.version,
                       .threads = static_cast<int>(options.threads),
                       .memory_bytes = options.memory_bytes.value_or(0),
                       .measure_anew = options.measure_anew,
                       .reserved_bytes = [&instances] { return instances->reserved_bytes(); },
                       .say = say},
                      *host, door, clock);

  ServerOptions api = options.api;
  api.needs_model = false;
  api.endpoints = all_dialects();
  api.endpoints.push_back(metrics_endpoint(metrics));
  api.endpoints.push_back(cluster_endpoints(*host, clock));
  api.endpoints.push_back(instance_endpoints(*instances));
  api.observer = observer.get();
  const auto server = TRY(Server::listen(std::move(api), clock));
  host->set_api(server->url());
  instances->start(server->models());
  metrics.set_loads([&] { return instances->loads(); });
  figures.start();

  const std::size_t members = host->core().members().members().size();
  say(fmt::format("node {} ({}) is up: API {}, peer port {}, {}",
                  node_name(host->core(), host->self()), host->self().substr(0, 8), server->url(),
                  host->peer_port(),
                  members == 1 ? std::string("alone in its cluster")
                               : fmt::format("in a cluster of {} nodes", members)));

  Lived lived{.peer_port = host->peer_port(), .api_port = port_of(server->url())};
  std::thread membership([&] {
    lived.end = host->run();
    server->stop();
  });
  signals.watch([&] { server->stop(); });
  server->run();  // until a signal comes, or the host ends
  figures.stop();
  host->stop();
  membership.join();
  signals.watch({});
  door.close();
  metrics.set_loads({});
  instances.reset();  // while the server's list of models is there
  lived.contacts = host->contacts();
  return lived;
}

}  // namespace

Result<void> run_node(NodeOptions options) {
  options.cluster.say = say;
  TRY(check_model_folders(options.model_folders));
  const std::vector<std::string> named = options.cluster.peers;
  StopSignals signals;
  while (true) {
    Lived lived = TRY(live(options, signals));
    if (lived.end == ClusterHost::End::stopped || signals.asked()) return {};
    options.cluster.join_code.clear();
    options.measure_anew = false;
    options.cluster.peer_port = lived.peer_port;
    options.api.port = lived.api_port;
    // Where the nodes are that let this one in; of one life's cluster, not of the next one's.
    options.cluster.peers = named;
    for (std::string& contact : lived.contacts) options.cluster.peers.push_back(std::move(contact));
  }
}

}  // namespace drystone
