#include "app/node/instances/plan_thread.h"

#include <exception>
#include <utility>

namespace drystone {

void PlanThread::start(std::function<void()> made) {
  made_ = std::move(made);
  thread_ = std::thread([this] { run(); });
}

void PlanThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::optional<PlaceValue> PlanThread::made(std::uint64_t number,
                                           const std::function<PlanJob()>& job) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(number_, number) != number) {
    answer_.reset();
    waiting_ = job();
    wake_.notify_all();
  }
  return std::exchange(answer_, std::nullopt);
}

void PlanThread::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || waiting_ != nullptr; });
    if (stopping_) return;
    PlanJob job = std::exchange(waiting_, nullptr);
    const std::uint64_t number = number_;
    lock.unlock();
    PlaceValue value;
    try {
      value = job();
    } catch (const std::exception& failure) {  // out of memory, mostly
      value = {.refused = failure.what()};
    }
    job = nullptr;
    lock.lock();
    if (number != number_) continue;  // nobody waits for it any more
    answer_ = std::move(value);
    lock.unlock();
    made_();
    lock.lock();
  }
}

}  // namespace drystone
