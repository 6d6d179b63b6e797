#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "cluster/instance/head_aim.h"
#include "serve/jobs/head_follower.h"
#include "serve/jobs/replay_queue.h"

namespace drystone {

// The way of this node's requests to the head of one instance: a replica of the model's
// ReplayQueue, the HeadFollower that decides what is behind it, and a thread of its own that makes
// queues to heads, so that nobody waits for a connection. Thread-safe.
class HeadRoute {
 public:
  // Makes a queue to the head; blocks, and gives up soon once `stop` is true.
  using Open = std::function<Result<std::shared_ptr<JobQueue>>(const HeadAim& aim,
                                                               const std::atomic<bool>& stop)>;
  static constexpr std::chrono::milliseconds kLookEvery{100};  // whether it is lost; next try

  HeadRoute(std::shared_ptr<ReplayQueue> jobs, Open open);
  ~HeadRoute();  // close(); may wait for a connection that is being made

  void aim(HeadAim aim);  // returns at once
  // No head any more, for good: its jobs go on at the other replicas. Returns at once.
  void close();

 private:
  void run();
  void follow(std::unique_lock<std::mutex>& lock);

  const std::shared_ptr<ReplayQueue> jobs_;
  const Open open_;
  HeadFollower follower_;  // of the thread

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<HeadAim> aim_;
  bool aimed_ = false;              // at something else than what is followed
  std::atomic<bool> stop_ = false;  // what is being made is of no more use
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace drystone
