#include "sim_engine.h"

#include <algorithm>
#include <utility>

#include "sim_model.h"

namespace drystone::sim {

std::string SimEngine::piece(TokenId id) const { return piece_of(id); }
std::uint32_t SimEngine::context() const { return kContext; }
std::uint32_t SimEngine::vocab() const { return kVocab; }

Result<std::uint64_t> SimEngine::submit(GenerationJob job) {
  const GenerateRequest& request = job.request;
  if (request.prompt.size() + request.written.size() + 1 > kContext)
    return Error(Errc::limit, "longer than the context");
  if (lost_) return *lost_;
  if (jobs_.size() >= kJobsMax) return Error(Errc::unavailable, "requests are waiting already");
  auto made = std::make_shared<Job>();
  made->given = std::move(job);
  jobs_.emplace(++last_id_, std::move(made));
  return last_id_;
}

void SimEngine::cancel(std::uint64_t id) {
  const auto at = jobs_.find(id);
  if (at == jobs_.end()) return;
  at->second->cancelled = true;
  if (!at->second->begun) end(id, GenerateResult{.finish = FinishReason::cancelled});
}

void SimEngine::cancel_all() {
  for (const auto& [id, job] : std::map(jobs_)) cancel(id);
}

std::size_t SimEngine::position(std::uint64_t id) const {
  const auto before = static_cast<std::size_t>(std::distance(jobs_.begin(), jobs_.lower_bound(id)));
  return before < kTogether ? 0 : before - kTogether + 1;
}

void SimEngine::lose(const Error& why) {
  if (lost_) return;
  lost_ = why;
  for (const auto& [id, job] : std::exchange(jobs_, {})) job->given.on_done(why);
}

void SimEngine::step() {
  std::vector<std::pair<std::uint64_t, std::shared_ptr<Job>>> running;
  for (const auto& one : jobs_)
    if (running.size() < kTogether || one.second->cancelled) running.emplace_back(one);
  for (const auto& [id, job] : running)
    if (jobs_.contains(id)) advance(id, *job);
}

void SimEngine::advance(std::uint64_t id, Job& job) {
  const GenerateRequest& request = job.given.request;
  const auto ended = [&](FinishReason finish) {
    end(id, GenerateResult{.finish = finish,
                           .prompt_tokens = static_cast<std::uint32_t>(request.prompt.size()),
                           .completion_tokens = static_cast<std::uint32_t>(job.tokens.size())});
  };
  if (job.cancelled) return ended(FinishReason::cancelled);
  if (!std::exchange(job.begun, true)) {
    if (job.given.on_prompt) job.given.on_prompt(static_cast<std::uint32_t>(request.prompt.size()));
    return;
  }
  const bool again = job.tokens.size() < request.written.size();
  Delta delta;
  std::optional<FinishReason> finish;
  for (std::uint64_t left = 1 + rng_.below(again ? 12 : 4); left > 0 && !finish; --left) {
    const std::size_t at = job.tokens.size();
    job.tokens.push_back(at < request.written.size() ? request.written[at]
                                                     : next_token(request.prompt, job.tokens));
    delta.tokens.push_back({.id = job.tokens.back(), .logprob = 0, .top = {}});
    delta.text += piece_of(job.tokens.back());
    finish = end_of(request.prompt, request.tokens_max, job.tokens.size());
  }
  job.given.on_delta(delta);
  if (finish) ended(*finish);
}

void SimEngine::end(std::uint64_t id, Result<GenerateResult> result) {
  auto node = jobs_.extract(id);
  if (!node.empty()) node.mapped()->given.on_done(std::move(result));
}

}  // namespace drystone::sim
