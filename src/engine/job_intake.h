#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <vector>

#include "base/clock.h"
#include "engine/fair_queue.h"
#include "engine/generation_job.h"

namespace drystone {

// The jobs that wait for a batcher: by priority, within one the clients in turn. It also knows
// which ones the batcher has taken and not ended yet, so that any job can be cancelled by its id.
// Thread-safe.
class JobIntake {
 public:
  struct Taken {
    std::uint64_t id;
    GenerationJob job;
    Clock::Nanoseconds since;  // when it came
  };

  // At most `waiting_max` wait, and as many more as there are places free of `places`.
  JobIntake(const Clock& clock, std::size_t waiting_max, std::uint32_t places)
      : clock_(clock), waiting_max_(waiting_max), places_(places) {}

  std::size_t size_max() const { return waiting_max_ + places_; }

  // The id of the job. Errors: busy (too many wait).
  Result<std::uint64_t> push(GenerationJob job);
  // A job that waits ends at once, on this thread; one that was taken is kept for take_cancelled().
  void cancel(std::uint64_t id);
  void cancel_all();

  // The next one: it counts as taken until over().
  std::optional<Taken> take();
  std::optional<std::int32_t> first_priority() const;  // of the next one
  std::set<std::uint64_t> take_cancelled();            // of those that were taken
  void over(std::uint64_t id);

  // Jobs that are taken before it; nullopt: it does not wait.
  std::optional<std::size_t> position(std::uint64_t id) const;
  std::size_t waiting() const;

  // Whether any job waits or was taken and is not over.
  bool empty() const;
  // Blocks until that is so, or `stop` is requested.
  void wait(const std::stop_token& stop);

 private:
  struct Waiting {
    GenerationJob job;
    Clock::Nanoseconds since;
  };

  const Clock& clock_;
  const std::size_t waiting_max_;
  const std::uint32_t places_;

  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  std::map<std::int32_t, FairQueue> queues_;  // by priority, the lowest first
  std::map<std::uint64_t, Waiting> waiting_;
  std::set<std::uint64_t> taken_;
  std::set<std::uint64_t> cancelled_;  // of the taken ones
  std::uint64_t last_id_ = 0;
};

}  // namespace drystone
