#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/generation_job.h"

namespace drystone {

// A JobQueue whose jobs do what a test tells them.
class ScriptedQueue final : public JobQueue {
 public:
  Result<std::uint64_t> submit(GenerationJob job) override {
    const std::lock_guard lock(mutex_);
    if (refuse_) return *refuse_;
    if (lost_) return Error(Errc::unavailable, "lost");
    jobs_.emplace(++last_id_, std::move(job));
    changed_.notify_all();
    return last_id_;
  }
  std::size_t queue_max() const override { return 8; }
  void cancel(std::uint64_t id) override {
    const std::lock_guard lock(mutex_);
    cancelled_.push_back(id);
    changed_.notify_all();
  }
  void cancel_all() override {}
  std::size_t position(std::uint64_t) const override { return 3; }
  bool lost() const override {
    const std::lock_guard lock(mutex_);
    return lost_;
  }

  // Waits for the job with this number, counted from 1 on; its request.
  GenerateRequest wait_for(std::uint64_t id) {
    std::unique_lock lock(mutex_);
    const bool came =
        changed_.wait_for(lock, std::chrono::seconds(10), [&] { return jobs_.contains(id); });
    CHECK(came, id);
    return jobs_.at(id).request;
  }
  void wait_for_cancel(std::uint64_t id) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, std::chrono::seconds(10), [&] {
      return std::find(cancelled_.begin(), cancelled_.end(), id) != cancelled_.end();
    });
    CHECK(came, id);
  }
  // A token for each character.
  void write(std::uint64_t id, const std::string& text) {
    for (const char c : text)
      job(id).on_delta({.text = {c}, .tokens = {{.id = c, .logprob = 0, .top = {}}}});
  }
  void give(std::uint64_t id, const Delta& delta) { job(id).on_delta(delta); }
  void prompt(std::uint64_t id, std::uint32_t held) { job(id).on_prompt(held); }
  void end(std::uint64_t id, Result<GenerateResult> result) {
    GenerationJob ended;
    {
      const std::lock_guard lock(mutex_);
      ended = std::move(jobs_.extract(id).mapped());
    }
    ended.on_done(std::move(result));
  }
  void refuse(std::optional<Error> with) {
    const std::lock_guard lock(mutex_);
    refuse_ = std::move(with);
  }
  // All jobs end, as when a stage is lost.
  void lose() {
    std::map<std::uint64_t, GenerationJob> jobs;
    {
      const std::lock_guard lock(mutex_);
      lost_ = true;
      jobs.swap(jobs_);
    }
    for (auto& [id, job] : jobs) job.on_done(Error(Errc::unavailable, "a stage is lost"));
  }

 private:
  const GenerationJob& job(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    return jobs_.at(id);
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, GenerationJob> jobs_;
  std::vector<std::uint64_t> cancelled_;
  std::uint64_t last_id_ = 0;
  std::optional<Error> refuse_;
  bool lost_ = false;
};

// What a client sees of a job.
class SeenAnswer {
 public:
  GenerationJob job(GenerateRequest request) {
    GenerationJob out{.client = "somebody", .request = std::move(request)};
    out.on_delta = [this](const Delta& delta) {
      const std::lock_guard lock(mutex_);
      text_ += delta.text;
      for (const Sampled& token : delta.tokens) tokens_.push_back(token);
      changed_.notify_all();
    };
    out.on_prompt = [this](std::uint32_t held) {
      const std::lock_guard lock(mutex_);
      held_.push_back(held);
    };
    out.on_done = [this](Result<GenerateResult> result) {
      const std::lock_guard lock(mutex_);
      CHECK(!result_);
      result_ = std::move(result);
      changed_.notify_all();
    };
    return out;
  }

  const Result<GenerateResult>& wait() {
    std::unique_lock lock(mutex_);
    const bool came =
        changed_.wait_for(lock, std::chrono::seconds(30), [&] { return result_.has_value(); });
    CHECK(came, text_);
    return *result_;
  }
  void wait_for_text(std::size_t bytes) {
    std::unique_lock lock(mutex_);
    const bool came =
        changed_.wait_for(lock, std::chrono::seconds(10), [&] { return text_.size() >= bytes; });
    CHECK(came, text_);
  }
  bool over() const {
    const std::lock_guard lock(mutex_);
    return result_.has_value();
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }
  std::vector<Sampled> tokens() const {
    const std::lock_guard lock(mutex_);
    return tokens_;
  }
  std::vector<std::uint32_t> held() const {
    const std::lock_guard lock(mutex_);
    return held_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
  std::vector<Sampled> tokens_;
  std::vector<std::uint32_t> held_;
  std::optional<Result<GenerateResult>> result_;
};

inline std::vector<TokenId> ids_of(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace drystone
