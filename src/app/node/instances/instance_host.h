#pragma once

#include <boost/json/value.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/node/instances/figures_wait.h"
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
    // That a load or a plan waits for figures that are still being measured.
    std::chrono::milliseconds measured_within{5000};
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

  // What follows blocks, from any thread but the cluster's loop, and can fail with `unavailable`
  // (the node is stopping).

  // Of everything that is wanted or held, with names of nodes: docs/formats/cluster-api.md.
  Result<boost::json::array> instances();
  // The same for metrics: its engine's load where the head is here. Empty when the node is
  // stopping.
  std::vector<ModelLoad> loads();
  // Models that were wanted once, and the node on which somebody ended that.
  Result<boost::json::array> unloaded();
  // Every sensible way to place a model on those alive, whose figures are waited for up to 15 s,
  // and `measured_within` more where they are being measured; `path_or_name` as ModelCatalog::find
  // takes it, or a name that the cluster knows. Errors: those of ModelCatalog::find. prompt_tokens:
  // as in PlanRequest.
  Result<Planned> plan(const std::string& path_or_name, DesiredInstance desired,
                       std::uint32_t prompt_tokens = 0);
  // Asks the cluster to run it from now on; waits as plan() does. Errors: those of find and of the
  // plan (it can never fit: nothing was changed); invalid_argument (another model has its name).
  Result<Wish> load(const std::string& path_or_name, DesiredInstance desired);
  // Errors: not_found (nobody asked for it).
  Result<void> unload(const std::string& model);

 private:
  Result<ModelCatalog::Found> find(const std::string& path_or_name);
  Result<void> wait_for_name(const ModelCatalog::Found& found);
  void wait_for_figures();
  FiguresWait::Outcome wait_until_measured(const std::string& who);
  Result<Plan> plan_now(const ModelFigures& model, const DesiredInstance& desired,
                        std::uint32_t prompt_tokens);

  ModelCatalog& catalog_;
  const Clock& clock_;
  FiguresWait figures_wait_;
  const std::shared_ptr<InstanceLife> life_;
};

}  // namespace drystone
