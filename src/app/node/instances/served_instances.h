#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/node/instances/head_route.h"
#include "app/node/instances/instance_view.h"
#include "app/node/instances/part_runner.h"
#include "app/node/instances/served_name.h"
#include "cluster/instance/instance_core.h"

namespace drystone {

// Every node serves every model: keeps the names of this node's API, and the ways from there to the
// heads, as the life of instances goes on. On the cluster's loop; returns at once.
class ServedInstances {
 public:
  struct Rooms {
    std::string self;
    PartRunner& parts;   // heads that are here
    PeerDialer& dialer;  // and those that are not: for jobs
    ModelCatalog& catalog;
    ModelHost& models;
    const Clock& clock;
  };
  // How long requests wait for a head: large models load for minutes.
  static constexpr std::chrono::minutes kPauseMax{10};

  explicit ServedInstances(Rooms rooms) : rooms_(std::move(rooms)) {}
  ~ServedInstances();  // takes all names out of the API; waits

  void follow(const InstanceCore& core, const InstanceView& view);

 private:
  struct Served {
    std::shared_ptr<ReplayQueue> jobs;
    std::map<std::string, std::shared_ptr<HeadRoute>> routes;  // by instance
    std::shared_ptr<ServedName> name;
  };
  Served make_served(const std::string& model);
  std::shared_ptr<HeadRoute> make_route(const std::string& instance,
                                        std::shared_ptr<ReplayQueue> jobs);
  static void remove(const Served& served);

  const Rooms rooms_;
  LastRelease last_release_;              // what is destroyed may wait for its thread
  std::map<std::string, Served> served_;  // by model
};

}  // namespace drystone
