#pragma once

#include <boost/json/value.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/node/instances/figures_wait.h"
#include "app/node/instances/free_machines.h"
#include "app/node/members/cluster_host.h"
#include "app/node/models/model_catalog.h"
#include "base/clock.h"
#include "cluster/instance/desired.h"
#include "cluster/instance/instance_core.h"
#include "cluster/plan/planner.h"
#include "serve/http/model_host.h"
#include "serve/metrics/serving_metrics.h"
#include "serve/peer/data_door.h"

namespace drystone {

class InstanceLife;

// The life of instances on this node (InstanceLife), and what people ask about it: what runs, where
// a model would be placed, that it be loaded or unloaded. Has this node's API serve every model of
// the cluster, wherever it is computed.
//
// It acts only while ClusterCore::settled(): what was persisted is known then, and what the others
// have. What is wanted stands in the shared state, so after a power cut of all nodes the cluster
// comes back serving what it served.
class InstanceHost {
 public:
  struct Options {
    int threads = 0;                              // of each part; 0: one per core
    Bytes memory_bytes = 0;                       // for all parts; 0: what the system has
    std::function<void(const std::string&)> say;  // a line for people; any thread; may be empty
    // That a load or a plan waits for figures that are missing, and while a node that has just come
    // measures itself: for six seconds or so, several on one machine one after the other.
    FiguresWait::Limits measured_within{.within = std::chrono::milliseconds(8000),
                                        .on_its_way = std::chrono::milliseconds(15'000)};
  };
  struct Wish {
    std::string model;        // its name
    std::string advice;       // of the plan
    std::string waited;       // for which figures, a sentence for people; "": for none
    DesiredInstance desired;  // as it stands in the shared state
  };
  struct Planned {
    Plan plan;
    std::string waited;                   // as Wish::waited
    std::vector<std::string> unmeasured;  // what it was made without: "nova", "the link a - b"
  };
  // Borrows all for its life. Before ClusterHost::run(), whose events it listens to, and before the
  // server, whose endpoints may ask it at once.
  InstanceHost(Options options, ClusterHost& cluster, DataDoor& door, ModelCatalog& catalog,
               const Clock& clock);
  // When ClusterHost::run() has returned and the server runs no more; before the `models` of
  // start() end. Waits for parts to end: PartRunner.
  ~InstanceHost();
  InstanceHost(const InstanceHost&) = delete;
  InstanceHost& operator=(const InstanceHost&) = delete;

  // Serves in this host of models, which outlives it. Once, before ClusterHost::run().
  void start(ModelHost& models);

  // Of all parts, loaded or loading; any thread.
  Bytes reserved_bytes() const;

  // What follows blocks for a disk or the cluster's loop, from any thread but that, and can fail
  // with `unavailable` (the node is stopping).

  // Of everything that is wanted or held, with names of nodes: docs/formats/cluster-api.md.
  Result<boost::json::array> instances();
  // The same for metrics: its engine's load where the head is here. Empty when the node is
  // stopping.
  std::vector<ModelLoad> loads();
  // Models that were wanted once, and the node on which somebody ended that.
  Result<boost::json::array> unloaded();
  // Errors: not_found (nobody asked for it).
  Result<void> unload(const std::string& model);

  // What may have to wait for others, without a thread that waits: each call does what can be done
  // now and gives the answer, or nullopt: call it again after kLookEvery. One call at a time;
  // whoever stops calling has asked for nothing. Not after the host's end.
  template <typename Answer>
  using Steps = std::function<std::optional<Result<Answer>>()>;
  static constexpr std::chrono::milliseconds kLookEvery{100};

  // Every sensible way to place a model on those alive, whose figures are waited for up to 15 s,
  // and `measured_within` more where they are being measured; `path_or_name` as ModelCatalog::find
  // takes it, or a name that the cluster knows. Errors: those of ModelCatalog::find. prompt_tokens:
  // as in PlanRequest.
  Steps<Planned> plan(std::string path_or_name, DesiredInstance desired,
                      std::uint32_t prompt_tokens = 0);
  // Asks the cluster to run it from now on; waits as plan() does, and up to 15 s for another model
  // of its name that was just unloaded. Errors: those of find and of the plan (it can never fit:
  // nothing was changed); invalid_argument (another model has its name).
  Steps<Wish> load(std::string path_or_name, DesiredInstance desired);

 private:
  Result<ModelCatalog::Found> find(const std::string& path_or_name);
  struct Asked;
  Result<bool> is_name_free(Asked& asked);
  bool are_figures_known(Asked& asked);
  Result<std::optional<FiguresWait::Outcome>> prepare(Asked& asked, const std::string& who);
  Result<FreeMachines> machines_for(const std::string& model);

  ModelCatalog& catalog_;
  const Clock& clock_;
  FiguresWait figures_wait_;
  const std::shared_ptr<InstanceLife> life_;
};

}  // namespace drystone
