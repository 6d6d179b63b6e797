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

HeadRoute::HeadRoute(std::shared_ptr<ReplayQueue> jobs, Open open)
    : jobs_(std::move(jobs)),
      open_(std::move(open)),
      follower_(*jobs_),
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
  lock.unlock();
  follower_.end();
}

void HeadRoute::follow(std::unique_lock<std::mutex>& lock) {
  const HeadAim aim = *aim_;
  aimed_ = stop_ = false;
  lock.unlock();
  follower_.aim(aim);
  if (follower_.wants_queue() && !stop_) {
    auto made = try_to(open_, aim, stop_);
    if (!stop_) follower_.take(std::move(made));
  }
  lock.lock();
}

}  // namespace drystone
