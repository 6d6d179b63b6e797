#include "serve/jobs/replay_core.h"

#include <fmt/format.h>

#include <algorithm>

namespace drystone {
namespace {

bool is_not_now(const Error& error) {
  return error.code() == Errc::unavailable || error.code() == Errc::busy;
}

}  // namespace

// ---- Attempts

std::optional<ReplicaHeads::Head> ReplayQueue::Core::choose(const Job& job) const {
  return heads.choose(job.tried, job.again, [&](std::uint64_t replica) {
    return static_cast<std::size_t>(std::ranges::count_if(jobs, [&](const auto& one) {
      return one.second->state != State::waiting && one.second->replica == replica;
    }));
  });
}

// Its head is another one now, or it is none any more: what runs there moves. Lets go of the lock.
void ReplayQueue::Core::leave(std::unique_lock<std::mutex>& lock, std::uint64_t replica) {
  std::vector<std::pair<std::shared_ptr<JobQueue>, std::uint64_t>> left;
  for (const auto& [key, job] : jobs) {
    if (job->state == State::waiting || job->replica != replica) continue;
    job->moving = true;
    if (job->id) left.emplace_back(job->queue, *job->id);
  }
  lock.unlock();
  for (const auto& [old, id] : left) old->cancel(id);
  lock.lock();
  for (auto& [old, id] : left) retired.push_back(std::move(old));
  changed.notify_all();
  lock.unlock();
}

// Hands the job to a head; without one it waits. Errors, after which the job is gone: a
// first attempt that its queue does not take.
Result<void> ReplayQueue::Core::start(std::uint64_t key, const JobPointer& job) {
  GenerationJob attempt;
  std::shared_ptr<JobQueue> target;
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex);
    const auto head = choose(*job);
    if (!head) {
      wait_for_head(*job, Error(Errc::unavailable, heads.why_none()));
      return {};
    }
    job->state = State::submitting;
    job->replica = head->replica;
    job->head = head->number;
    std::erase(job->tried, head->number);
    job->tried.push_back(head->number);
    job->queue = target = head->queue;
    job->id = std::nullopt;
    job->moving = job->taken = job->again = false;
    job->attempt = number = ++last_attempt;
    attempt = attempt_of(key, job);
  }
  const auto id = target->submit(std::move(attempt));
  bool leave = false, is_first = false;
  {
    const std::lock_guard lock(mutex);
    // Its end may have come already.
    if (job->attempt == number && jobs.contains(key)) {
      if (id) {
        job->state = State::running;
        job->id = *id;
        job->taken = true;
        job->moving = job->moving || !has_its_head(*job);
        leave = job->cancelled || job->moving || job->broken;
      } else {
        is_first = job->answer.attempts() == 1 && !job->cancelled &&
                   !(is_not_now(id.error()) &&
                     (job->patient || target->lost() || choose(*job).has_value()));
        if (is_first) jobs.erase(key);
      }
    }
  }
  if (leave) target->cancel(*id);
  if (!id && !is_first) take_end(key, job, number, id.error());
  {
    const std::lock_guard lock(mutex);
    if (is_first) retire(*job);
    retired.push_back(std::move(target));
  }
  changed.notify_all();
  if (is_first) return id.error();
  return {};
}

GenerationJob ReplayQueue::Core::attempt_of(std::uint64_t key, const JobPointer& job) {
  const std::uint64_t attempt = job->attempt;
  GenerationJob out{.client = job->client, .request = job->answer.next_attempt()};
  out.on_delta = [self = shared_from_this(), job, attempt](const Delta& delta) {
    self->take(job, attempt, delta);
  };
  out.on_prompt = [self = shared_from_this(), job, attempt](std::uint32_t held) {
    self->take_prompt(job, attempt, held);
  };
  out.on_done = [self = shared_from_this(), key, job, attempt](Result<GenerateResult> result) {
    self->take_end(key, job, attempt, std::move(result));
  };
  return out;
}

void ReplayQueue::Core::take(const JobPointer& job, std::uint64_t attempt, const Delta& delta) {
  std::optional<Delta> fresh;
  std::shared_ptr<JobQueue> target;
  std::optional<std::uint64_t> id;
  {
    const std::lock_guard lock(mutex);
    if (job->attempt != attempt || job->moving || job->broken) return;
    auto taken = job->answer.take(delta, now());
    if (taken) {
      fresh = *std::move(taken);
      if (!fresh) return;
      ++callbacks;
    } else {
      job->broken = std::move(taken).error();
      target = job->queue;
      id = job->id;
    }
  }
  if (fresh) {
    if (job->on_delta) job->on_delta(*fresh);
  } else if (id) {
    target->cancel(*id);
  }
  const std::lock_guard lock(mutex);
  if (fresh) --callbacks;
  if (target != nullptr) retired.push_back(std::move(target));
  if (stopping) changed.notify_all();
}

void ReplayQueue::Core::take_prompt(const JobPointer& job, std::uint64_t attempt,
                                    std::uint32_t held) {
  {
    const std::lock_guard lock(mutex);
    if (job->attempt != attempt || job->moving) return;
    job->taken = true;
    const auto more = job->answer.take_prompt(held, now());
    if (!more || !job->on_prompt) return;
    ++callbacks;
  }
  job->on_prompt(held);
  const std::lock_guard lock(mutex);
  --callbacks;
  if (stopping) changed.notify_all();
}

void ReplayQueue::Core::take_end(std::uint64_t key, const JobPointer& job, std::uint64_t attempt,
                                 Result<GenerateResult> result) {
  {
    const std::lock_guard lock(mutex);
    if (job->attempt != attempt) return;
    const bool goes_on = may_go_on(*job, result);
    retire(*job);
    if (goes_on) {
      job->attempt = 0;
      changed.notify_all();
      return;
    }
    if (job->broken) {
      result = *job->broken;
    } else if (job->cancelled && (!result || job->moving)) {
      result = job->answer.cancelled();
    } else if (result) {
      result = job->answer.whole(*std::move(result), now());
    }
  }
  end(key, job, std::move(result));
}

// Whether another attempt follows this end, and when.
bool ReplayQueue::Core::may_go_on(Job& job, const Result<GenerateResult>& result) {
  if (job.cancelled || job.broken || stopping) return false;
  if (job.moving || (result && result->finish == FinishReason::cancelled)) {
    // Its queue ended, or will. A head that ends its part mostly says so before the map does: a
    // loss all the same, the first time.
    const bool is_there = has_its_head(job);
    const bool is_lost = std::exchange(job.given_up_by, job.head) != job.head || !is_there;
    if (!is_there) job.tried.clear();
    wait_for_head(job, Error(Errc::unavailable, "its node gave it up"), is_lost);
    if (is_there) {  // perhaps no other one comes: this one is asked again
      job.again = true;
      job.not_before = now() + options.retry_every;
    }
    return true;
  }
  if (result) return false;
  if (result.is(Errc::limit) && job.answer.shorten()) {
    job.state = State::waiting;
    job.again = true;
    job.patient = true;
    if (!job.deadline) job.deadline = now() + options.pause_max;
    return true;
  }
  if (!is_not_now(result.error())) return false;
  if (!has_its_head(job) || (job.queue != nullptr && job.queue->lost())) {
    job.tried.clear();
    wait_for_head(job, result.error(), /*lost=*/true);
    return true;
  }
  // A head that lives and has no room now. The client of a new request is told, unless another one
  // has; a half-written answer waits for room.
  const bool is_new = !job.patient && job.answer.tokens() == 0;
  const bool is_last = !choose(job);
  if (is_new && is_last) return false;
  wait_for_head(job, result.error());
  job.patient = !is_new;
  job.again = true;
  if (is_last) job.not_before = now() + options.retry_every;
  return true;
}

// The pause counts from the latest loss of a head that had taken it.
void ReplayQueue::Core::wait_for_head(Job& job, const Error& why, bool lost) {
  job.state = State::waiting;
  job.patient = true;
  job.lost_because = why.message();
  const bool was_taken_and_lost = std::exchange(job.taken, false) && lost;
  const bool wrote = job.answer.take_progress();
  if (wrote) job.losses = 0;
  if (was_taken_and_lost) ++job.losses;
  if (wrote || !job.deadline || (was_taken_and_lost && job.losses <= kLossesMax))
    job.deadline = now() + options.pause_max;
}

void ReplayQueue::Core::retire(Job& job) {
  if (job.queue != nullptr) retired.push_back(std::exchange(job.queue, nullptr));
  job.id = std::nullopt;
}

void ReplayQueue::Core::end(std::uint64_t key, const JobPointer& job,
                            Result<GenerateResult> result) {
  {
    const std::lock_guard lock(mutex);
    if (jobs.erase(key) == 0) return;
    job->attempt = 0;
    ++callbacks;
  }
  job->on_done(std::move(result));
  const std::lock_guard lock(mutex);
  --callbacks;
  changed.notify_all();
}

Error ReplayQueue::Core::given_up(const Job& job) const {
  std::string because = heads.why_none();
  if (because.empty()) because = job.lost_because;
  if (because.empty()) because = "no node runs it";
  const std::string wrote =
      job.answer.tokens() == 0 ? "" : fmt::format(" after {} tokens of it", job.answer.tokens());
  const std::string times =
      job.losses < 2 ? "" : fmt::format(" {} times before the next token", job.losses);
  return {Errc::unavailable,
          fmt::format("this answer could not go on{}: {} was lost{} ({}), and no node took it over "
                      "within {:.0f} s. Ask again when `drystone ps` shows it ready",
                      wrote, options.instance, times, because,
                      std::chrono::duration<double>(options.pause_max).count())};
}

void ReplayQueue::Core::cancel(std::uint64_t key) {
  JobPointer job;
  std::shared_ptr<JobQueue> target;
  std::optional<std::uint64_t> id;
  bool over = false;
  {
    const std::lock_guard lock(mutex);
    const auto at = jobs.find(key);
    if (at == jobs.end()) return;
    job = at->second;
    job->cancelled = true;
    over = job->state == State::waiting;
    if (over) {
      jobs.erase(at);
      ++callbacks;
    }
    target = job->queue;
    id = job->id;
  }
  if (over) {
    job->on_done(job->answer.cancelled());
    const std::lock_guard lock(mutex);
    --callbacks;
    changed.notify_all();
    return;
  }
  if (target == nullptr) return;
  if (id) target->cancel(*id);
  const std::lock_guard lock(mutex);
  retired.push_back(std::move(target));
}

// ---- The worker

void ReplayQueue::Core::work() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    const auto next = work_due(lock);
    if (stopping) break;
    if (next)
      changed.wait_for(lock, *next);
    else
      changed.wait(lock);
  }
}

// All that there is to do now; how long until there is more, nullopt until something changes.
std::optional<Clock::Nanoseconds> ReplayQueue::Core::work_due(std::unique_lock<std::mutex>& lock) {
  while (!stopping) {
    const auto next = work_once(lock);
    if (stopping) break;
    if (!retired.empty()) {
      auto gone = std::exchange(retired, {});
      lock.unlock();
      gone.clear();
      lock.lock();
    } else if (!next || *next > Clock::Nanoseconds(0)) {
      return next;
    }
  }
  return std::nullopt;
}

// Starts or gives up one job that waits, without the lock; nothing to do: how long until there is,
// nullopt until something changes.
std::optional<Clock::Nanoseconds> ReplayQueue::Core::work_once(std::unique_lock<std::mutex>& lock) {
  const auto at = now();
  const std::optional<Error> refusal = heads.refused();
  std::optional<Clock::Nanoseconds> next;
  for (const auto& [key, job] : jobs) {
    if (job->state != State::waiting) continue;
    const bool has_head = choose(*job).has_value();
    const bool too_late = job->cancelled || refusal || at >= *job->deadline;
    if (!too_late && !(has_head && at >= job->not_before)) {
      auto until = *job->deadline;
      if (has_head) until = std::min(until, job->not_before);
      next = std::min(next.value_or(until - at), until - at);
      continue;
    }
    const std::uint64_t number = key;
    const JobPointer chosen = job;
    chosen->state = State::submitting;
    Result<GenerateResult> given = refusal ? *refusal : given_up(*chosen);
    if (chosen->cancelled) given = chosen->answer.cancelled();
    lock.unlock();
    if (too_late) {
      end(number, chosen, std::move(given));
    } else if (auto started = start(number, chosen); !started) {
      // It was its first attempt: start() has taken it out.
      chosen->on_done(std::move(started).error());
    }
    lock.lock();
    return Clock::Nanoseconds(0);
  }
  return next;
}

}  // namespace drystone
