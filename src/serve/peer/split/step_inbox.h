#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/result.h"
#include "serve/peer/split/step_layout.h"

namespace drystone {

// Messages on their way from the threads that read links to the one that computes; bounded, and
// used again and again, so that steps allocate nothing once buffers have grown. Thread-safe.
class StepInbox {
 public:
  explicit StepInbox(std::size_t messages_max) : messages_max_(messages_max) {}

  // For who reads: a message to fill, then put(). Errors: limit (the other side sends more steps
  // than may be on their way), and that of close().
  Result<std::unique_ptr<StepMessage>> empty();
  void put(std::unique_ptr<StepMessage> message);

  // The oldest one; give_back() what it gave. Blocks. Errors: unavailable (nothing within
  // `within`), and that of close(), also if there are messages left.
  Result<std::unique_ptr<StepMessage>> next(std::chrono::nanoseconds within);
  void give_back(std::unique_ptr<StepMessage> message);

  // Wakes who waits; nothing goes through any more. The first error stays.
  void close(const Error& error);

 private:
  const std::size_t messages_max_;
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<std::unique_ptr<StepMessage>> full_;
  std::vector<std::unique_ptr<StepMessage>> empty_;
  std::size_t made_ = 0;
  std::optional<Error> closed_;
};

}  // namespace drystone
