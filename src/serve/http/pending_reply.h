#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/generation_job.h"
#include "serve/http/generation_trace.h"

namespace drystone {

// One request in the hands of a JobQueue, as a handler on the loop sees it: deltas come, then
// the end. Its destruction cancels what is still running or waiting, so a handler may simply return
// when its client is gone. On the loop thread only.
class PendingReply {
 public:
  // Errors: limit (the queue is full). Borrows `jobs`. The request's priority becomes the client's
  // least one if it is below that. `unsent_bytes_max`: what may wait in
  // take(); when the handler does not keep up, the generation is cancelled and overflowed() says
  // so.
  static Result<PendingReply> start(const boost::asio::any_io_executor& loop, JobQueue& jobs,
                                    Client client, GenerateRequest request,
                                    std::size_t unsent_bytes_max);
  PendingReply(PendingReply&&) = default;
  ~PendingReply();

  // Returns when there is something to take, or the end came, or `patience` is over.
  boost::asio::awaitable<void> wait(std::chrono::milliseconds patience);
  // Throws std::bad_alloc when there was no memory to keep what came: the answer has a gap.
  std::vector<Delta> take();
  // Set when no further delta comes.
  const std::optional<Result<GenerateResult>>& result() const { return inbox_->result; }
  // Nothing to take, and no end.
  bool idle() const { return inbox_->deltas.empty() && !inbox_->result && !inbox_->out_of_memory; }
  bool overflowed() const { return inbox_->overflowed; }

  // How far a request is that has no text yet.
  struct Progress {
    bool admitted = false;
    std::size_t before = 0;         // while it waits: requests that are admitted first
    std::uint32_t prompt_held = 0;  // once it is admitted: tokens computed or found in the cache
    std::uint32_t prompt_tokens = 0;
  };
  Progress progress() const;

 private:
  // Shared with the callbacks on their way from the thread that runs the steps.
  struct Inbox {
    Inbox(const boost::asio::any_io_executor& loop, std::shared_ptr<RequestTrace> noted,
          std::size_t prompt_size)
        : wake(loop),
          prompt_tokens(static_cast<std::uint32_t>(prompt_size)),
          trace(std::move(noted)) {}
    void keep(Delta delta);
    std::vector<Delta> deltas;
    std::optional<Result<GenerateResult>> result;
    boost::asio::steady_timer wake;  // cancelled when something came
    std::atomic<std::size_t> unsent_bytes = 0;
    std::atomic<bool> overflowed = false;
    std::atomic<bool> out_of_memory = false;
    const std::uint32_t prompt_tokens;
    std::atomic<std::int64_t> prompt_held = -1;  // -1: not admitted
    GenerationTrace trace;
  };
  PendingReply(std::shared_ptr<Inbox> inbox, JobQueue& jobs, std::uint64_t id)
      : inbox_(std::move(inbox)), jobs_(&jobs), id_(id) {}

  std::shared_ptr<Inbox> inbox_;  // null after a move
  JobQueue* jobs_;
  std::uint64_t id_;
};

}  // namespace drystone
