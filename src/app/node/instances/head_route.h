#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "cluster/instance/head_aim.h"
#include "serve/jobs/head_follower.h"
#include "serve/jobs/replay_queue.h"

namespace drystone {

// The way of this node's requests to the head of one instance: a ReplayQueue, the HeadFollower that
// decides what is behind it, and a thread of its own that makes queues to heads, so that nobody
// waits for a connection. Thread-safe.
class HeadRoute {
 public:
  // Makes a queue to the head; blocks, and gives up soon once `stop` is true.
  using Open = std::function<Result<std::shared_ptr<JobQueue>>(const HeadAim& aim,
                                                               const std::atomic<bool>& stop)>;
  static constexpr std::chrono::milliseconds kLookEvery{100};  // whether it is lost; next try
  static constexpr std::chrono::minutes kPauseMax{10};         // large models load for minutes

  HeadRoute(const std::string& instance, Open open, const Clock& clock);  // borrows the clock
  ~HeadRoute();  // ends what runs, as cancelled; may wait for a connection that is being made

  void aim(HeadAim aim);  // returns at once
  // No head any more, for good: lets go of the queue that it has.
  void close();

  ReplayQueue& queue() { return queue_; }
  bool has_head() const { return follower_.has_head(); }
  std::atomic<std::size_t>& open_jobs() { return open_jobs_; }

 private:
  void run();
  void follow(std::unique_lock<std::mutex>& lock);

  const std::string instance_;
  const Open open_;
  ReplayQueue queue_;
  HeadFollower follower_;  // of the thread
  std::atomic<std::size_t> open_jobs_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<HeadAim> aim_;
  bool aimed_ = false;              // at something else than what is followed
  std::atomic<bool> stop_ = false;  // what is being made is of no more use
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace drystone
