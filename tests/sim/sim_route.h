#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "cluster/instance/instance_core.h"
#include "network.h"
#include "serve/jobs/replay_queue.h"
#include "sim_jobs.h"

namespace drystone::sim {

// The way of a node's requests to the head of one instance: the real ReplayQueue, without its
// thread, behind what app/node/instances/head_route decides on a thread of its own: follow the head
// from epoch to epoch, and connect again when its queue is lost.
class SimRoute {
 public:
  static constexpr std::chrono::minutes kPauseMax{10};

  struct Aim {
    std::uint64_t epoch = 0;
    std::string keeper, node, why;
    bool refused = false;
    bool operator==(const Aim&) const = default;
  };
  static Aim aim_of(const InstanceStatus& status);

  struct Ways {
    std::string self;
    std::function<std::shared_ptr<JobQueue>(std::uint64_t epoch)> here;  // null: not ready
    std::function<std::shared_ptr<SimJobs::Dialed>(const Aim&)> dial;
  };
  SimRoute(const std::string& instance, Ways ways, const Clock& clock)
      : ways_(std::move(ways)),
        queue_({.instance = instance, .pause_max = kPauseMax, .driven = true}, clock) {}

  void aim(Aim aim);
  void tick();  // each look

  ReplayQueue& queue() { return queue_; }
  bool has_head() const { return current_ != nullptr; }
  std::size_t open_jobs = 0;

 private:
  void give_up(const std::string& why);

  const Ways ways_;
  ReplayQueue queue_;
  std::optional<Aim> aim_;
  bool aimed_ = false;
  std::uint64_t aims_ = 0;  // those followed
  std::shared_ptr<SimJobs::Dialed> dialed_;
  std::shared_ptr<JobQueue> current_;
};

}  // namespace drystone::sim
