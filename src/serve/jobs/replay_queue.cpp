#include "serve/jobs/replay_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "serve/jobs/replay_core.h"

namespace drystone {

ReplayQueue::ReplayQueue(Options options, const Clock& clock)
    : core_(std::make_shared<Core>(std::move(options), clock)) {
  if (!core_->options.driven) core_->worker = std::jthread([core = core_.get()] { core->work(); });
}

ReplayQueue::~ReplayQueue() {
  std::map<std::uint64_t, Core::JobPointer> left;
  {
    std::unique_lock lock(core_->mutex);
    core_->stopping = true;
    core_->changed.notify_all();
    lock.unlock();
    if (core_->worker.joinable()) core_->worker.join();
    lock.lock();
    left.swap(core_->jobs);
    // What attempts say from now on is not heard; what is being told ends first.
    for (const auto& [key, job] : left) job->attempt = 0;
    core_->changed.wait(lock, [&] { return core_->callbacks == 0; });
  }
  for (const auto& [key, job] : left) {
    if (job->queue != nullptr && job->id) job->queue->cancel(*job->id);
    job->on_done(job->answer.cancelled());
    job->queue = nullptr;
  }
  core_->heads = {};
  core_->retired.clear();
}

std::uint64_t ReplayQueue::add_replica() {
  const std::lock_guard lock(core_->mutex);
  return core_->heads.add();
}

void ReplayQueue::remove_replica(std::uint64_t replica) {
  std::unique_lock lock(core_->mutex);
  if (core_->heads.remove(replica, core_->retired)) core_->leave(lock, replica);
}

void ReplayQueue::set_head(std::uint64_t replica, std::uint64_t epoch,
                           std::shared_ptr<JobQueue> queue, std::string why) {
  std::unique_lock lock(core_->mutex);
  if (core_->heads.set(replica, epoch, std::move(queue), std::move(why), core_->retired))
    core_->leave(lock, replica);
  else
    core_->changed.notify_all();
}

void ReplayQueue::refuse(std::uint64_t replica, std::uint64_t epoch, const Error& why) {
  set_head(replica, epoch, nullptr, why.message());
  const std::lock_guard lock(core_->mutex);
  if (core_->heads.refuse(replica, epoch, why)) core_->changed.notify_all();
}

Result<std::uint64_t> ReplayQueue::submit(GenerationJob job) {
  Core::JobPointer made;
  std::uint64_t key = 0;
  {
    const std::lock_guard lock(core_->mutex);
    if (core_->jobs.size() >= kJobsMax)
      return Error(Errc::busy,
                   fmt::format("{} requests run or wait already; try again later", kJobsMax));
    if (core_->heads.empty())
      return Error(Errc::unavailable,
                   core_->options.instance + " is placed on no node now; try again later");
    if (const auto refused = core_->heads.refused()) return *refused;
    made = std::make_shared<Core::Job>(std::move(job), core_->now());
    key = ++core_->last_key;
    core_->jobs.emplace(key, made);
    if (!core_->choose(*made)) {
      core_->wait_for_head(*made, Error(Errc::unavailable, core_->heads.why_none()));
      core_->changed.notify_all();
      return key;
    }
  }
  TRY(core_->start(key, made));
  return key;
}

std::size_t ReplayQueue::queue_max() const {
  std::vector<std::shared_ptr<JobQueue>> queues;
  {
    const std::lock_guard lock(core_->mutex);
    queues = core_->heads.queues();
  }
  std::size_t most = queues.empty() ? kJobsMax : 0;
  for (const auto& queue : queues) most = std::max(most, queue->queue_max());
  const std::lock_guard lock(core_->mutex);
  for (auto& queue : queues) core_->retired.push_back(std::move(queue));
  core_->changed.notify_all();
  return most;
}

std::size_t ReplayQueue::position(std::uint64_t key) const {
  std::shared_ptr<JobQueue> queue;
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(core_->mutex);
    const auto at = core_->jobs.find(key);
    if (at == core_->jobs.end() || at->second->state != Core::State::running || !at->second->id)
      return 0;
    queue = at->second->queue;
    id = *at->second->id;
  }
  const std::size_t before = queue->position(id);
  const std::lock_guard lock(core_->mutex);
  core_->retired.push_back(std::move(queue));
  core_->changed.notify_all();
  return before;
}

void ReplayQueue::work() {
  CHECK(core_->options.driven);
  std::unique_lock lock(core_->mutex);
  static_cast<void>(core_->work_due(lock));
}

void ReplayQueue::cancel(std::uint64_t id) { core_->cancel(id); }

void ReplayQueue::cancel_all() {
  std::vector<std::uint64_t> keys;
  {
    const std::lock_guard lock(core_->mutex);
    for (const auto& [key, job] : core_->jobs) keys.push_back(key);
  }
  for (const std::uint64_t key : keys) core_->cancel(key);
}

}  // namespace drystone
