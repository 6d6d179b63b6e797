#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "cluster/instance/head_aim.h"
#include "serve/jobs/head_follower.h"
#include "serve/jobs/replay_queue.h"
#include "sim_jobs.h"

namespace drystone::sim {

// The way of a node's requests to the head of one instance: the real ReplayQueue, without its
// thread, and HeadFollower, behind connections of the simulation.
class SimRoute {
 public:
  static constexpr std::chrono::minutes kPauseMax{10};

  struct Ways {
    std::string self;
    std::function<std::shared_ptr<JobQueue>(std::uint64_t epoch)> here;  // null: not ready
    std::function<std::shared_ptr<SimJobs::Dialed>(const HeadAim&)> dial;
  };
  SimRoute(const std::string& instance, Ways ways, const Clock& clock)
      : ways_(std::move(ways)),
        queue_({.instance = instance, .pause_max = kPauseMax, .driven = true}, clock),
        follower_(queue_) {}

  void aim(HeadAim aim) { aim_ = std::move(aim); }
  void tick();  // each look

  ReplayQueue& queue() { return queue_; }
  bool has_head() const { return follower_.has_head(); }
  std::size_t open_jobs = 0;

 private:
  void connect(const HeadAim& aim);

  const Ways ways_;
  ReplayQueue queue_;
  HeadFollower follower_;
  std::optional<HeadAim> aim_;
  std::shared_ptr<SimJobs::Dialed> dialed_;
};

}  // namespace drystone::sim
