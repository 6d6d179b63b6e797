#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "serve/jobs/replay_queue.h"
#include "serve/jobs/replayed_job.h"
#include "serve/jobs/replica_heads.h"

namespace drystone {

// What the callbacks of attempts use, which may come after the queue has gone.
struct ReplayQueue::Core : std::enable_shared_from_this<ReplayQueue::Core> {
  enum class State { waiting, submitting, running };
  struct Job {
    Job(GenerationJob given, Clock::Nanoseconds now)
        : client(std::move(given.client)),
          on_delta(std::move(given.on_delta)),
          on_prompt(std::move(given.on_prompt)),
          on_done(std::move(given.on_done)),
          answer(std::move(given.request), now) {}
    const std::string client;
    const std::function<void(const Delta&)> on_delta;
    const std::function<void(std::uint32_t)> on_prompt;
    const std::function<void(Result<GenerateResult>)> on_done;

    // Under the lock.
    ReplayedJob answer;
    State state = State::submitting;
    bool cancelled = false;
    bool moving = false;  // of the running attempt nothing is taken any more
    std::optional<Error> broken;
    // Of the attempt: which one it is, on which head (ReplicaHeads::Head), and its id there.
    std::uint64_t attempt = 0, replica = 0, head = 0;
    std::vector<std::uint64_t> tried;  // heads, the attempt's at the end; since the latest loss
    std::shared_ptr<JobQueue> queue;
    std::optional<std::uint64_t> id;
    bool taken = false;             // by its head
    int losses = 0;                 // of heads that had taken it, since the last token
    std::uint64_t given_up_by = 0;  // the head that cancelled an attempt of it last
    // While it waits.
    bool patient = false;  // it has waited for a head: it waits for room at one, too
    bool again = false;    // those that were tried may be asked once more, if there is no other
    std::optional<Clock::Nanoseconds> deadline;
    Clock::Nanoseconds not_before{};
    std::string lost_because;
  };
  using JobPointer = std::shared_ptr<Job>;
  Core(Options given, const Clock& own_clock) : options(std::move(given)), clock(own_clock) {}

  Clock::Nanoseconds now() const { return clock.monotonic(); }

  Result<void> start(std::uint64_t key, const JobPointer& job);
  GenerationJob attempt_of(std::uint64_t key, const JobPointer& job);
  void take(const JobPointer& job, std::uint64_t attempt, const Delta& delta);
  void take_prompt(const JobPointer& job, std::uint64_t attempt, std::uint32_t held);
  void take_end(std::uint64_t key, const JobPointer& job, std::uint64_t attempt,
                Result<GenerateResult> result);
  bool may_go_on(Job& job, const Result<GenerateResult>& result);
  bool has_its_head(const Job& job) const { return heads.is_present(job.replica, job.head); }
  std::optional<ReplicaHeads::Head> choose(const Job& job) const;
  void leave(std::unique_lock<std::mutex>& lock, std::uint64_t replica);
  void wait_for_head(Job& job, const Error& why, bool lost = false);
  void retire(Job& job);
  void end(std::uint64_t key, const JobPointer& job, Result<GenerateResult> result);
  Error given_up(const Job& job) const;
  void cancel(std::uint64_t key);
  void work();
  std::optional<Clock::Nanoseconds> work_due(std::unique_lock<std::mutex>& lock);
  std::optional<Clock::Nanoseconds> work_once(std::unique_lock<std::mutex>& lock);

  const Options options;
  const Clock& clock;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::map<std::uint64_t, JobPointer> jobs;
  ReplicaHeads heads;
  std::uint64_t last_key = 0, last_attempt = 0;
  std::vector<std::shared_ptr<JobQueue>> retired;  // let go of by the worker
  int callbacks = 0;                               // of clients, that run now
  bool stopping = false;
  std::jthread worker;
};

}  // namespace drystone
