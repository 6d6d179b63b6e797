#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "engine/fair_queue.h"
#include "serve/http/served_model.h"

namespace drystone {

// Runs generations one at a time on a thread of its own; the others wait in a FairQueue.
// Thread-safe.
class Scheduler {
 public:
  struct Job {
    std::string client;  // whose turn it is: an API key, an address
    GenerateRequest request;
    // Both on the scheduler's thread, and never while the scheduler holds its lock; done is the
    // last call and always comes, exactly once (for a job that never ran, from the thread that
    // cancelled it).
    std::function<void(const Delta&)> on_delta;
    std::function<void(Result<GenerateResult>)> on_done;
  };

  Scheduler(ServedModel& model, std::size_t queue_max);  // borrows `model`
  ~Scheduler();  // cancels everything and waits for the running step

  // The id of the job. Errors: limit (the queue is full; the job was dropped, no callback comes).
  Result<std::uint64_t> submit(Job job);
  // Ends the job, within one step if it runs, as `cancelled`. Nothing happens when it is already
  // over.
  void cancel(std::uint64_t id);
  void cancel_all();
  // Jobs before it, the running one included: 0 runs now or is over.
  std::size_t position(std::uint64_t id) const;

 private:
  void run();

  ServedModel& model_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  FairQueue queue_;
  std::map<std::uint64_t, Job> waiting_;
  std::uint64_t last_id_ = 0, running_id_ = 0;  // 0: none
  std::stop_source running_stop_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the rest
};

}  // namespace drystone
