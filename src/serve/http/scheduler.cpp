#include "serve/http/scheduler.h"

#include <fmt/format.h>

#include <new>
#include <vector>

namespace drystone {

Scheduler::Scheduler(ServedModel& model, std::size_t queue_max)
    : model_(model), queue_(queue_max), thread_([this] { run(); }) {}

Scheduler::~Scheduler() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  cancel_all();
  wake_.notify_all();
  thread_.join();
}

Result<std::uint64_t> Scheduler::submit(Job job) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = last_id_ + 1;
    if (stopping_ || !queue_.push(job.client, id))
      return Error(Errc::limit,
                   fmt::format("{} requests are waiting already; try again later", queue_.size()));
    last_id_ = id;
    waiting_.emplace(id, std::move(job));
  }
  wake_.notify_one();
  return id;
}

void Scheduler::cancel(std::uint64_t id) {
  Job job;
  {
    const std::lock_guard lock(mutex_);
    if (id == running_id_) running_stop_.request_stop();
    if (!queue_.erase(id)) return;
    job = std::move(waiting_.extract(id).mapped());
  }
  job.on_done(GenerateResult{.finish = FinishReason::cancelled});
}

void Scheduler::cancel_all() {
  std::vector<std::uint64_t> ids;
  {
    const std::lock_guard lock(mutex_);
    if (running_id_ != 0) ids.push_back(running_id_);
    for (const auto& [id, job] : waiting_) ids.push_back(id);
  }
  for (const std::uint64_t id : ids) cancel(id);
}

std::size_t Scheduler::position(std::uint64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto before = queue_.position(id);
  return before ? *before + (running_id_ != 0 ? 1 : 0) : 0;
}

void Scheduler::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || queue_.size() > 0; });
    if (stopping_) return;
    running_id_ = *queue_.pop();
    running_stop_ = std::stop_source();
    {
      // In a scope of its own: what the callbacks hold goes before the next job starts.
      const Job job = std::move(waiting_.extract(running_id_).mapped());
      const std::stop_token stop = running_stop_.get_token();
      lock.unlock();
      auto result = [&]() -> decltype(model_.generate(job.request, job.on_delta, stop)) {
        try {
          return model_.generate(job.request, job.on_delta, stop);
        } catch (const std::bad_alloc&) {  // one answer fails, the server stays
          return Error(Errc::out_of_memory, "the machine ran out of memory while answering");
        }
      }();
      lock.lock();
      running_id_ = 0;
      lock.unlock();
      job.on_done(std::move(result));
    }
    lock.lock();
  }
}

}  // namespace drystone
