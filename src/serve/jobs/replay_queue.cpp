#include "serve/jobs/replay_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "serve/jobs/replayed_job.h"

namespace drystone {
namespace {

bool is_not_now(const Error& error) {
  return error.code() == Errc::unavailable || error.code() == Errc::busy;
}

}  // namespace

// What the callbacks of attempts use, which may come after the queue has gone.
struct ReplayQueue::Core : std::enable_shared_from_this<ReplayQueue::Core> {
  enum class State { waiting, submitting, running };
  struct Job {
    Job(GenerationJob given, Clock::Nanoseconds now)
        : client(std::move(given.client)),
          on_delta(std::move(given.on_delta)),
          on_prompt(std::move(given.on_prompt)),
          on_done(std::move(given.on_done)),
          answer(std::move(given.request), now) {}
    const std::string client;
    const std::function<void(const Delta&)> on_delta;
    const std::function<void(std::uint32_t)> on_prompt;
    const std::function<void(Result<GenerateResult>)> on_done;

    // Under the lock.
    ReplayedJob answer;
    State state = State::submitting;
    bool cancelled = false;
    bool moving = false;  // of the running attempt nothing is taken any more
    std::optional<Error> broken;
    // Of the attempt: which one it is, on which head of which replica, and its id there.
    std::uint64_t attempt = 0, replica = 0, head = 0;
    std::shared_ptr<JobQueue> queue;
    std::optional<std::uint64_t> id;
    bool taken = false;  // by its head
    int losses = 0;      // of heads that had taken it, since the last token
    // While it waits.
    bool again = false;  // the same head may be asked once more, if there is no other
    std::optional<Clock::Nanoseconds> deadline;
    Clock::Nanoseconds not_before{};
    std::string lost_because;
  };
  using JobPointer = std::shared_ptr<Job>;
  struct Replica {
    std::uint64_t epoch = 0;
    std::uint64_t head = 0;  // counts the heads of all replicas, and the times without one
    std::shared_ptr<JobQueue> queue;
    std::string why_none;
    std::optional<Error> refused;  // there will be none
  };

  Core(Options given, const Clock& own_clock) : options(std::move(given)), clock(own_clock) {}

  Clock::Nanoseconds now() const { return clock.monotonic(); }

  Result<void> start(std::uint64_t key, const JobPointer& job);
  GenerationJob attempt_of(std::uint64_t key, const JobPointer& job);
  void take(const JobPointer& job, std::uint64_t attempt, const Delta& delta);
  void take_prompt(const JobPointer& job, std::uint64_t attempt, std::uint32_t held);
  void take_end(std::uint64_t key, const JobPointer& job, std::uint64_t attempt,
                Result<GenerateResult> result);
  bool may_go_on(Job& job, const Result<GenerateResult>& result);
  bool has_its_head(const Job& job) const;
  const std::uint64_t* choose(const Job& job) const;
  std::optional<Error> refused() const;
  std::string why_none() const;
  void leave(std::unique_lock<std::mutex>& lock, std::uint64_t replica);
  void wait_for_head(Job& job, const Error& why, bool lost = false);
  void retire(Job& job);
  void end(std::uint64_t key, const JobPointer& job, Result<GenerateResult> result);
  Error given_up(const Job& job) const;
  void cancel(std::uint64_t key);
  void work();
  std::optional<Clock::Nanoseconds> work_due(std::unique_lock<std::mutex>& lock);
  std::optional<Clock::Nanoseconds> work_once(std::unique_lock<std::mutex>& lock);

  const Options options;
  const Clock& clock;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::map<std::uint64_t, JobPointer> jobs;
  std::map<std::uint64_t, Replica> replicas;
  std::uint64_t last_key = 0, last_attempt = 0, last_replica = 0, last_head = 0;
  std::vector<std::shared_ptr<JobQueue>> retired;  // let go of by the worker
  int callbacks = 0;                               // of clients, that run now
  bool stopping = false;
  std::jthread worker;
};

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
  core_->replicas.clear();
  core_->retired.clear();
}

std::uint64_t ReplayQueue::add_replica() {
  const std::lock_guard lock(core_->mutex);
  core_->replicas[++core_->last_replica].head = ++core_->last_head;
  return core_->last_replica;
}

void ReplayQueue::remove_replica(std::uint64_t replica) {
  std::unique_lock lock(core_->mutex);
  const auto at = core_->replicas.find(replica);
  if (at == core_->replicas.end()) return;
  if (at->second.queue != nullptr) core_->retired.push_back(std::move(at->second.queue));
  core_->replicas.erase(at);
  core_->leave(lock, replica);
}

void ReplayQueue::set_head(std::uint64_t replica, std::uint64_t epoch,
                           std::shared_ptr<JobQueue> queue, std::string why) {
  std::unique_lock lock(core_->mutex);
  const auto at = core_->replicas.find(replica);
  if (at == core_->replicas.end() || epoch < at->second.epoch ||
      (epoch == at->second.epoch && queue == at->second.queue)) {
    if (queue != nullptr) core_->retired.push_back(std::move(queue));
    core_->changed.notify_all();
    return;
  }
  Core::Replica& known = at->second;
  if (known.queue != nullptr) core_->retired.push_back(std::move(known.queue));
  known = {.epoch = epoch,
           .head = ++core_->last_head,
           .queue = std::move(queue),
           .why_none = std::move(why),
           .refused = std::nullopt};
  core_->leave(lock, replica);
}

void ReplayQueue::refuse(std::uint64_t replica, std::uint64_t epoch, const Error& why) {
  set_head(replica, epoch, nullptr, why.message());
  const std::lock_guard lock(core_->mutex);
  const auto at = core_->replicas.find(replica);
  if (at == core_->replicas.end() || epoch < at->second.epoch || at->second.queue != nullptr)
    return;
  at->second.refused = why;
  core_->changed.notify_all();
}

Result<std::uint64_t> ReplayQueue::submit(GenerationJob job) {
  Core::JobPointer made;
  std::uint64_t key = 0;
  {
    const std::lock_guard lock(core_->mutex);
    if (core_->jobs.size() >= kJobsMax)
      return Error(Errc::busy,
                   fmt::format("{} requests run or wait already; try again later", kJobsMax));
    if (core_->replicas.empty())
      return Error(Errc::unavailable,
                   core_->options.instance + " is placed on no node now; try again later");
    if (const auto refused = core_->refused()) return *refused;
    made = std::make_shared<Core::Job>(std::move(job), core_->now());
    key = ++core_->last_key;
    core_->jobs.emplace(key, made);
    if (core_->choose(*made) == nullptr) {
      core_->wait_for_head(*made, Error(Errc::unavailable, core_->why_none()));
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
    for (const auto& [number, replica] : core_->replicas)
      if (replica.queue != nullptr) queues.push_back(replica.queue);
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

// ---- Attempts

// Of its attempt.
bool ReplayQueue::Core::has_its_head(const Job& job) const {
  const auto at = replicas.find(job.replica);
  return at != replicas.end() && at->second.head == job.head;
}

// The replica for the next attempt: of those with a head the one with the fewest jobs, that of the
// last attempt behind all others, and only if it may be asked again; null: none.
const std::uint64_t* ReplayQueue::Core::choose(const Job& job) const {
  const std::uint64_t* best = nullptr;
  std::pair<bool, std::ptrdiff_t> least;
  for (const auto& [number, replica] : replicas) {
    const bool is_tried = replica.head == job.head;
    if (replica.queue == nullptr || (is_tried && !job.again) || replica.queue->lost()) continue;
    const std::ptrdiff_t here =
        replicas.size() == 1 ? 0 : std::ranges::count_if(jobs, [&](const auto& one) {
          return one.second->state != State::waiting && one.second->replica == number;
        });
    const std::pair rank(is_tried, here);
    if (best != nullptr && least <= rank) continue;
    best = &number;
    least = rank;
  }
  return best;
}

std::optional<Error> ReplayQueue::Core::refused() const {
  const bool all =
      std::ranges::all_of(replicas, [](const auto& one) { return one.second.refused.has_value(); });
  return all && !replicas.empty() ? replicas.begin()->second.refused : std::nullopt;
}

std::string ReplayQueue::Core::why_none() const {
  for (const auto& [number, replica] : replicas)
    if (!replica.why_none.empty()) return replica.why_none;
  return "";
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
    const std::uint64_t* const chosen = choose(*job);
    if (chosen == nullptr) {
      wait_for_head(*job, Error(Errc::unavailable, why_none()));
      return {};
    }
    const Replica& replica = replicas.at(*chosen);
    job->state = State::submitting;
    job->replica = *chosen;
    job->queue = target = replica.queue;
    job->head = replica.head;
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
        // One that has waited for a head waits for room, too.
        is_first = job->answer.attempts() == 1 && !job->cancelled &&
                   !(is_not_now(id.error()) && (job->deadline || target->lost()));
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
    // Its queue ended, or will.
    const bool is_there = has_its_head(job);
    wait_for_head(job, Error(Errc::unavailable, "its node gave it up"), !is_there);
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
    if (!job.deadline) job.deadline = now() + options.pause_max;
    return true;
  }
  if (!is_not_now(result.error())) return false;
  if (!has_its_head(job) || (job.queue != nullptr && job.queue->lost())) {
    wait_for_head(job, result.error(), /*lost=*/true);
    return true;
  }
  // A head that lives and has no room now: the client of a new request is told, a half-written
  // answer waits for room.
  if (!job.deadline && job.answer.attempts() == 1 && job.answer.tokens() == 0) return false;
  wait_for_head(job, result.error());
  job.again = true;
  job.not_before = now() + options.retry_every;
  return true;
}

// The pause counts from the latest loss of a head that had taken it.
void ReplayQueue::Core::wait_for_head(Job& job, const Error& why, bool lost) {
  job.state = State::waiting;
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
  std::string because = why_none();
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
  const std::optional<Error> refusal = refused();
  std::optional<Clock::Nanoseconds> next;
  for (const auto& [key, job] : jobs) {
    if (job->state != State::waiting) continue;
    const bool has_head = choose(*job) != nullptr;
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
