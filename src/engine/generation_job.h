#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/engine.h"

namespace drystone {

// A request on its way to an engine that runs many at once.
struct GenerationJob {
  std::string client;  // whose turn it is: an API key, an address
  GenerateRequest request;
  // On the thread that runs the steps, never while a lock is held. on_done is the last call and
  // always comes, exactly once (for a job that never ran, from the thread that cancelled it).
  std::function<void(const Delta&)> on_delta;
  // Cheap, and may be empty: how many tokens of the prompt stand in the cache, when it is admitted
  // and whenever a step has computed more of them; never fewer than before.
  std::function<void(std::uint32_t)> on_prompt;
  std::function<void(Result<GenerateResult>)> on_done;
};

// Where jobs go. Thread-safe.
class JobQueue {
 public:
  virtual ~JobQueue() = default;
  // The id of the job. Errors, after which no callback comes: invalid_argument (the request makes
  // no sense), limit (it can never run: longer than the context, or than all pages), busy (the
  // queue is full now), unavailable (what it would run on is not there now).
  virtual Result<std::uint64_t> submit(GenerationJob job) = 0;
  // Jobs that can wait at once: so many may come together when nobody else waits.
  virtual std::size_t queue_max() const = 0;
  // Ends the job, within one step if it runs, as `cancelled`. Nothing happens when it is over.
  virtual void cancel(std::uint64_t id) = 0;
  virtual void cancel_all() = 0;
  // Jobs that are admitted before it; 0: it runs, is next or is over.
  virtual std::size_t position(std::uint64_t id) const = 0;
  // What it ran on is gone: all its jobs end as `unavailable`, and it never takes another. Known
  // before they are told.
  virtual bool lost() const { return false; }
};

}  // namespace drystone
