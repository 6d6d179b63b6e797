#include "engine/job_intake.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace drystone {

Result<std::uint64_t> JobIntake::push(GenerationJob job) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    // Who finds a free place waits for the next step only.
    const std::size_t free_places = places_ - std::min<std::size_t>(taken_.size(), places_);
    if (waiting_.size() >= waiting_max_ + free_places)
      return Error(Errc::busy, fmt::format("{} requests are waiting already; try again later",
                                           waiting_.size()));
    id = ++last_id_;
    const auto queue = queues_.try_emplace(job.request.priority, size_max()).first;
    CHECK(queue->second.push(job.client, id), id);
    waiting_.emplace(id, Waiting{std::move(job), clock_.monotonic()});
  }
  wake_.notify_all();
  return id;
}

void JobIntake::cancel(std::uint64_t id) {
  Waiting waiting;
  {
    const std::lock_guard lock(mutex_);
    const auto at = waiting_.find(id);
    if (at == waiting_.end()) {
      if (taken_.contains(id)) cancelled_.insert(id);
      return;
    }
    waiting = std::move(at->second);
    waiting_.erase(at);
    const auto queue = queues_.find(waiting.job.request.priority);
    queue->second.erase(id);
    if (queue->second.size() == 0) queues_.erase(queue);
  }
  waiting.job.on_done(GenerateResult{
      .finish = FinishReason::cancelled,
      .prompt_tokens = static_cast<std::uint32_t>(waiting.job.request.prompt.size())});
}

void JobIntake::cancel_all() {
  std::vector<std::uint64_t> ids;
  {
    const std::lock_guard lock(mutex_);
    ids.assign(taken_.begin(), taken_.end());
    for (const auto& [id, waiting] : waiting_) ids.push_back(id);
  }
  for (const std::uint64_t id : ids) cancel(id);
}

std::optional<JobIntake::Taken> JobIntake::take() {
  const std::lock_guard lock(mutex_);
  if (queues_.empty()) return std::nullopt;
  const auto queue = queues_.begin();
  const std::uint64_t id = *queue->second.pop();
  if (queue->second.size() == 0) queues_.erase(queue);
  auto waiting = waiting_.extract(id);
  taken_.insert(id);
  return Taken{id, std::move(waiting.mapped().job), waiting.mapped().since};
}

std::optional<std::int32_t> JobIntake::first_priority() const {
  const std::lock_guard lock(mutex_);
  if (queues_.empty()) return std::nullopt;
  return queues_.begin()->first;
}

std::set<std::uint64_t> JobIntake::take_cancelled() {
  const std::lock_guard lock(mutex_);
  return std::exchange(cancelled_, {});
}

void JobIntake::over(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  taken_.erase(id);
  cancelled_.erase(id);
}

std::optional<std::size_t> JobIntake::position(std::uint64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto at = waiting_.find(id);
  if (at == waiting_.end()) return std::nullopt;
  std::size_t before = 0;
  for (const auto& [priority, queue] : queues_) {
    if (priority == at->second.job.request.priority) return before + *queue.position(id);
    before += queue.size();
  }
  return std::nullopt;
}

std::size_t JobIntake::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

bool JobIntake::empty() const {
  const std::lock_guard lock(mutex_);
  return waiting_.empty() && taken_.empty();
}

void JobIntake::wait(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, stop, [&] { return !waiting_.empty() || !taken_.empty(); });
}

}  // namespace drystone
