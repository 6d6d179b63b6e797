#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "serve/jobs/replay_queue.h"

namespace drystone {

// Where the head of an instance is, as this node sees it now.
struct HeadAim {
  std::uint64_t epoch = 0;
  std::string keeper;  // who made that epoch: two may have made one of the same number
  std::string node;    // "": there is none now, because of `why`
  std::string why;
  bool refused = false;                // and none will come
  std::uint32_t vocab = 0, width = 0;  // of the model
  bool operator==(const HeadAim&) const = default;
};

// The way of this node's requests to the head of one instance: keeps a queue to it behind a
// ReplayQueue, makes a new one when that is lost, and follows the head from epoch to epoch, also to
// a lower one: of writings in a partition the later holds. On a thread of its own, so that nobody
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
  bool has_head() const { return has_head_; }
  std::atomic<std::size_t>& open_jobs() { return open_jobs_; }

 private:
  void run();
  void follow(std::unique_lock<std::mutex>& lock);

  const std::string instance_;
  const Open open_;
  ReplayQueue queue_;
  std::atomic<bool> has_head_ = false;
  std::atomic<std::size_t> open_jobs_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<HeadAim> aim_;
  bool aimed_ = false;              // at something else than `current_` is for
  std::uint64_t aims_ = 0;          // of the thread: those followed; what the queue counts by
  std::atomic<bool> stop_ = false;  // what is being made is of no more use
  bool ending_ = false;
  std::shared_ptr<JobQueue> current_;  // of the thread
  std::thread thread_;
};

}  // namespace drystone
