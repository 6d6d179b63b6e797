#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "engine/generation_job.h"

namespace drystone {

// What stands between clients and a model whose instances may be lost and placed again: its jobs go
// to the queue of a replica's head, the one with the fewest of them, and when that is lost or the
// replica goes, to the next head, behind the tokens that their clients have. A client sees a pause,
// then the rest of the same answer, each piece once. Without a next head within `pause_max` its
// answer ends with an error that says what was lost.
//
// Errors other than a loss go to the client as they come. Thread-safe; no lock is held in
// callbacks, which come on the threads of the queues behind it, on its own, or on the one that
// cancels a job without a head.
class ReplayQueue final : public JobQueue {
 public:
  static constexpr std::size_t kJobsMax = 4096;  // that run or wait here
  // Losses of heads that had taken an answer, without a token between, that each begin the pause
  // anew: the prefill of a long prompt may take longer than a node lives, but not for ever.
  static constexpr int kLossesMax = 8;

  struct Options {
    std::string instance;                         // for messages
    std::chrono::milliseconds pause_max{60'000};  // since the latest loss, without a head
    std::chrono::milliseconds retry_every{200};   // when the new head is too busy for a replay
    bool driven = false;  // it has no thread: its owner calls work(), now and then
  };
  explicit ReplayQueue(Options options, const Clock& clock);  // borrows the clock
  ~ReplayQueue() override;                                    // ends what is left, as cancelled

  // One more replica, without a head yet. Its number is never that of another one.
  std::uint64_t add_replica();
  // There is no such replica any more: its jobs go on at the others, or wait for one.
  void remove_replica(std::uint64_t replica);

  // The queue of the head of a replica's `epoch`, or null: there is none now, for the reason `why`
  // ("node atlas does not answer"). Its epoch is any number of the caller's that only grows: lower
  // ones than known ones are ignored. The same epoch may come again with another queue, such as
  // that of a new connection. Jobs that still run on the one before are cancelled there and go on
  // here, so call this before you end a queue yourself. Queues are let go of on the ReplayQueue's
  // own thread, some time later. Of a replica that was removed: ignored.
  void set_head(std::uint64_t replica, std::uint64_t epoch, std::shared_ptr<JobQueue> queue,
                std::string why = "");

  // No head of it will come as things stand, for this reason. Where that is so of all replicas,
  // what waits ends with it, and so does what comes, until set_head() says something else.
  void refuse(std::uint64_t replica, std::uint64_t epoch, const Error& why);

  // Errors: those of the head's queue (busy or unavailable: of the last one, all of them were
  // asked); without one only busy (kJobsMax), unavailable (there is no replica), or of refuse().
  // The job's end tells them, too.
  Result<std::uint64_t> submit(GenerationJob job) override;
  std::size_t queue_max() const override;
  void cancel(std::uint64_t id) override;
  void cancel_all() override;
  std::size_t position(std::uint64_t id) const override;  // 0 while there is no head

  // Where it is driven: does what its thread would have done by now.
  void work();

 private:
  struct Core;
  std::shared_ptr<Core> core_;
};

}  // namespace drystone
