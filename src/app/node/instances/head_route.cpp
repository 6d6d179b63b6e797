#include "app/node/instances/head_route.h"

#include <exception>
#include <utility>

namespace drystone {
namespace {

Result<std::shared_ptr<JobQueue>> try_to(const HeadRoute::Open& open, const HeadAim& aim,
                                         const std::atomic<bool>& stop) {
  try {
    return open(aim, stop);
  } catch (const std::exception& failure) {
    return Error(Errc::unavailable, failure.what());
  }
}

}  // namespace

HeadRoute::HeadRoute(const std::string& instance, Open open, const Clock& clock)
    : instance_(instance),
      open_(std::move(open)),
      queue_({.instance = instance, .pause_max = kPauseMax}, clock),
      thread_([this] { run(); }) {}

HeadRoute::~HeadRoute() {
  close();
  thread_.join();
}

void HeadRoute::aim(HeadAim aim) {
  const std::lock_guard lock(mutex_);
  if (ending_ || (aim_ && *aim_ == aim)) return;
  aim_ = std::move(aim);
  aimed_ = stop_ = true;
  changed_.notify_all();
}

void HeadRoute::close() {
  const std::lock_guard lock(mutex_);
  ending_ = stop_ = true;
  changed_.notify_all();
}

void HeadRoute::run() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    if (aim_) follow(lock);
    changed_.wait_for(lock, kLookEvery, [&] { return ending_ || aimed_; });
  }
  has_head_ = false;
  current_ = nullptr;
  lock.unlock();
  queue_.set_head(++aims_, nullptr, "this node stops serving " + instance_);
}

void HeadRoute::follow(std::unique_lock<std::mutex>& lock) {
  const HeadAim aim = *aim_;
  const bool moved = std::exchange(aimed_, false);
  stop_ = false;
  lock.unlock();
  if (moved) ++aims_;
  const auto give_up = [&](const std::string& why) {
    has_head_ = false;
    current_ = nullptr;
    queue_.set_head(aims_, nullptr, why);
  };
  if (moved) {
    give_up(aim.why);
    if (aim.refused) queue_.refuse(aims_, Error(Errc::out_of_memory, aim.why));
  } else if (current_ != nullptr && current_->lost()) {
    give_up("the connection to " + aim.node + " is lost");
  }
  if (!aim.node.empty() && current_ == nullptr && !stop_) {
    auto made = try_to(open_, aim, stop_);
    if (made && !stop_) {
      current_ = *std::move(made);
      queue_.set_head(aims_, current_);
      has_head_ = true;
    } else if (!made && !stop_) {
      queue_.set_head(aims_, nullptr, made.error().message());
    }
  }
  lock.lock();
}

}  // namespace drystone
