#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "cluster/instance/head_aim.h"
#include "serve/jobs/replay_queue.h"

namespace drystone {

// What a node's requests do when the head of their instance moves: lets a ReplayQueue follow it
// from epoch to epoch, also to a lower one (of writings in a partition the later holds), and asks
// for another queue to the head when that is lost. No socket and no thread: its owner makes the
// queues. Not thread-safe but for has_head().
class HeadFollower {
 public:
  explicit HeadFollower(ReplayQueue& queue) : queue_(queue) {}  // borrows it

  // What there was is let go of, where this is another head. False: it is the same.
  bool aim(const HeadAim& aim);
  // Lets go of what is lost. True: a queue to the head aimed at is to be made.
  bool wants_queue();
  // Which was made, or why not: then it is wanted still. Of the head that was aimed at last.
  void take(Result<std::shared_ptr<JobQueue>> made);
  // No head any more, for good.
  void end(const std::string& why);

  const HeadAim& aimed() const { return aim_; }
  bool has_head() const { return has_head_; }

 private:
  void let_go(const std::string& why);

  ReplayQueue& queue_;
  HeadAim aim_;
  std::uint64_t aims_ = 0;  // those followed; what the queue counts by
  std::shared_ptr<JobQueue> current_;
  std::atomic<bool> has_head_ = false;
};

}  // namespace drystone
