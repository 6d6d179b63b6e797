#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/fair_queue.h"
#include "engine/generation_job.h"

namespace drystone {

// A JobQueue for models of tests: runs jobs one at a time on a thread of its own, clients in turn.
class SerialJobs final : public JobQueue {
 public:
  using Generate = std::function<Result<GenerateResult>(
      const GenerateRequest&, const std::function<void(const Delta&)>&, std::stop_token)>;

  // `tokens_max`: of a prompt and its answer together.
  SerialJobs(std::size_t queue_max, std::size_t tokens_max, Generate generate)
      : queue_max_(queue_max),
        queue_(queue_max),
        tokens_max_(tokens_max),
        generate_(std::move(generate)),
        thread_([this] { run(); }) {}

  ~SerialJobs() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    cancel_all();
    wake_.notify_all();
    thread_.join();
  }

  Result<std::uint64_t> submit(GenerationJob job) override {
    if (job.request.prompt.size() >= tokens_max_)
      return Error(Errc::limit, "the prompt has " + std::to_string(job.request.prompt.size()) +
                                    " tokens; the cache holds " + std::to_string(tokens_max_));
    std::uint64_t id = 0;
    {
      const std::lock_guard lock(mutex_);
      id = last_id_ + 1;
      if (stopping_ || !queue_.push(job.client, id))
        return Error(Errc::busy, "requests are waiting already; try again later");
      last_id_ = id;
      waiting_.emplace(id, std::move(job));
    }
    wake_.notify_one();
    return id;
  }

  void cancel(std::uint64_t id) override {
    GenerationJob job;
    {
      const std::lock_guard lock(mutex_);
      if (id == running_id_) running_stop_.request_stop();
      if (!queue_.erase(id)) return;
      job = std::move(waiting_.extract(id).mapped());
    }
    job.on_done(GenerateResult{.finish = FinishReason::cancelled});
  }

  void cancel_all() override {
    std::vector<std::uint64_t> ids;
    {
      const std::lock_guard lock(mutex_);
      if (running_id_ != 0) ids.push_back(running_id_);
      for (const auto& [id, job] : waiting_) ids.push_back(id);
    }
    for (const std::uint64_t id : ids) cancel(id);
  }

  std::size_t queue_max() const override { return queue_max_; }

  std::size_t position(std::uint64_t id) const override {
    const std::lock_guard lock(mutex_);
    return queue_.position(id).value_or(0);
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return stopping_ || queue_.size() > 0; });
      if (stopping_) return;
      running_id_ = *queue_.pop();
      running_stop_ = std::stop_source();
      {
        // In a scope of its own: what the callbacks hold goes before the next job starts.
        const GenerationJob job = std::move(waiting_.extract(running_id_).mapped());
        const std::stop_token stop = running_stop_.get_token();
        lock.unlock();
        if (job.on_prompt) job.on_prompt(0);
        auto result = generate_(job.request, job.on_delta, stop);
        lock.lock();
        running_id_ = 0;
        lock.unlock();
        job.on_done(std::move(result));
      }
      lock.lock();
    }
  }

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  const std::size_t queue_max_;
  FairQueue queue_;
  std::map<std::uint64_t, GenerationJob> waiting_;
  std::uint64_t last_id_ = 0, running_id_ = 0;  // 0: none
  std::stop_source running_stop_;
  bool stopping_ = false;
  const std::size_t tokens_max_;
  const Generate generate_;
  std::thread thread_;  // last: it uses the rest
};

}  // namespace drystone
