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
  // Errors: limit (the queue is full). Borrows `jobs`. `unsent_bytes_max`: what may wait in
  // take(); when the handler does not keep up, the generation is cancelled and overflowed() says
  // so.
  static Result<PendingReply> start(const boost::asio::any_io_executor& loop, JobQueue& jobs,
                                    Client client, GenerateRequest request,
                                    std::size_t unsent_bytes_max);
  PendingReply(PendingReply&&) = default;
  ~PendingReply();

  // Returns when there is something to take, or the end came, or `patience` is over.
  boost::asio::awaitable<void> wait(std::chrono::milliseconds patience);
  std::vector<Delta> take();
  // Set when no further delta comes.
  const std::optional<Result<GenerateResult>>& result() const { return inbox_->result; }
  // Nothing to take, and no end.
  bool idle() const { return inbox_->deltas.empty() && !inbox_->result; }
  bool overflowed() const { return inbox_->overflowed; }
  std::size_t position() const { return jobs_->position(id_); }

 private:
  // Shared with the callbacks on their way from the thread that runs the steps.
  struct Inbox {
    Inbox(const boost::asio::any_io_executor& loop, std::shared_ptr<RequestTrace> noted)
        : wake(loop), trace(std::move(noted)) {}
    std::vector<Delta> deltas;
    std::optional<Result<GenerateResult>> result;
    boost::asio::steady_timer wake;  // cancelled when something came
    std::atomic<std::size_t> unsent_bytes = 0;
    std::atomic<bool> overflowed = false;
    GenerationTrace trace;
  };
  PendingReply(std::shared_ptr<Inbox> inbox, JobQueue& jobs, std::uint64_t id)
      : inbox_(std::move(inbox)), jobs_(&jobs), id_(id) {}

  std::shared_ptr<Inbox> inbox_;  // null after a move
  JobQueue* jobs_;
  std::uint64_t id_;
};

}  // namespace drystone
