#include "serve/peer/split/step_inbox.h"

#include <fmt/format.h>

namespace drystone {

Result<std::unique_ptr<StepMessage>> StepInbox::empty() {
  const std::lock_guard lock(mutex_);
  if (closed_) return *closed_;
  if (empty_.empty()) {
    if (made_ == messages_max_)
      return Error(Errc::limit,
                   fmt::format("more than {} frames of steps on their way", messages_max_));
    ++made_;
    return std::make_unique<StepMessage>();
  }
  auto message = std::move(empty_.back());
  empty_.pop_back();
  return message;
}

void StepInbox::put(std::unique_ptr<StepMessage> message) {
  {
    const std::lock_guard lock(mutex_);
    full_.push_back(std::move(message));
  }
  came_.notify_one();
}

Result<std::unique_ptr<StepMessage>> StepInbox::next(std::chrono::nanoseconds within) {
  std::unique_lock lock(mutex_);
  if (!came_.wait_for(lock, within, [&] { return closed_ || !full_.empty(); }))
    return Error(Errc::unavailable, "a step does not come back");
  if (closed_) return *closed_;
  auto message = std::move(full_.front());
  full_.pop_front();
  return message;
}

void StepInbox::give_back(std::unique_ptr<StepMessage> message) {
  const std::lock_guard lock(mutex_);
  empty_.push_back(std::move(message));
}

void StepInbox::close(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) closed_ = error;
  }
  came_.notify_all();
}

}  // namespace drystone
