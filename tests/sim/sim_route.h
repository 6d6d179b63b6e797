#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cluster/instance/head_aim.h"
#include "serve/jobs/head_follower.h"
#include "serve/jobs/replay_queue.h"
#include "sim_jobs.h"

namespace drystone::sim {

// The way of a node's requests to the head of one instance: a replica of the model's ReplayQueue,
// the real one without its thread, and HeadFollower, behind connections of the simulation.
class SimRoute {
 public:
  struct Ways {
    std::string self;
    std::function<std::shared_ptr<JobQueue>(std::uint64_t epoch)> here;  // null: not ready
    std::function<std::shared_ptr<SimJobs::Dialed>(const HeadAim&)> dial;
  };
  SimRoute(std::shared_ptr<ReplayQueue> jobs, Ways ways)
      : jobs_(std::move(jobs)), ways_(std::move(ways)), follower_(*jobs_) {}
  ~SimRoute() { follower_.end(); }

  void aim(HeadAim aim) { aim_ = std::move(aim); }
  void tick();  // each look

 private:
  void connect(const HeadAim& aim);

  const std::shared_ptr<ReplayQueue> jobs_;
  const Ways ways_;
  HeadFollower follower_;
  std::optional<HeadAim> aim_;
  std::shared_ptr<SimJobs::Dialed> dialed_;
};

}  // namespace drystone::sim
