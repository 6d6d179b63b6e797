#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "cluster/instance/head_aim.h"
#include "serve/jobs/replay_queue.h"

namespace drystone {

// What a node's requests do when the head of an instance moves: lets a replica of a ReplayQueue
// follow it from epoch to epoch, also to a lower one (of writings in a partition the later holds),
// and asks for another queue to the head when that is lost. No socket and no thread: its owner
// makes the queues. Not thread-safe.
class HeadFollower {
 public:
  // Adds a replica to the queue, which it borrows.
  explicit HeadFollower(ReplayQueue& queue) : queue_(queue), replica_(queue.add_replica()) {}

  // What there was is let go of, where this is another head. False: it is the same.
  bool aim(const HeadAim& aim);
  // Lets go of what is lost. True: a queue to the head aimed at is to be made.
  bool wants_queue();
  // Which was made, or why not: then it is wanted still. Of the head that was aimed at last.
  void take(Result<std::shared_ptr<JobQueue>> made);
  // No such replica any more, for good: its jobs go to the others.
  void end();

  const HeadAim& aimed() const { return aim_; }

 private:
  void let_go(const std::string& why);

  ReplayQueue& queue_;
  const std::uint64_t replica_;
  HeadAim aim_;
  std::uint64_t aims_ = 0;  // those followed; what the queue counts by
  std::shared_ptr<JobQueue> current_;
};

}  // namespace drystone
