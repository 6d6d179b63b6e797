#include "serve/jobs/server_jobs.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

namespace drystone {

void ServerJobs::send_error(JobFrame type, std::uint64_t tag, const Error& error, bool lost) {
  send(type, tag, encode(error), lost ? kInstanceLost : std::uint16_t{0});
}

ServerJobs::Open ServerJobs::close_job(std::uint64_t tag) {
  const std::lock_guard lock(mutex_);
  auto node = open_.extract(tag);
  return node.empty() ? Open{} : std::move(node.mapped());
}

Result<void> ServerJobs::take(JobFrame type, std::uint64_t tag,
                              std::span<const std::byte> payload) {
  switch (type) {
    case JobFrame::alive:
      return {};
    case JobFrame::submit:
      return start(tag, payload);
    case JobFrame::cancel:
      cancel(tag);  // which may have ended meanwhile
      return {};
    default:
      return Error(Errc::corrupt,
                   fmt::format("a message of type {} to a server of jobs", static_cast<int>(type)));
  }
}

Result<void> ServerJobs::start(std::uint64_t tag, std::span<const std::byte> message) {
  if (tag <= last_tag_)
    return Error(Errc::corrupt, fmt::format("job {} behind job {}", tag, last_tag_));
  last_tag_ = tag;
  JobOrder order = TRY(decode_order(message));
  bool full = false;
  {
    const std::lock_guard lock(mutex_);
    full = open_.size() >= kJobsMax;
  }
  if (full) {
    send_error(JobFrame::refused, tag,
               Error(Errc::busy, fmt::format("{} requests of one node run or wait already; "
                                             "try again later",
                                             kJobsMax)),
               /*lost=*/false);
    return {};
  }
  const auto model = find_(order.instance, order.epoch);
  if (!model) {
    send_error(JobFrame::refused, tag, model.error(), /*lost=*/true);
    return {};
  }
  const bool compiling = order.constraint.has_value();
  {
    const std::lock_guard lock(mutex_);
    open_.emplace(tag, Open{.model = *model, .compiling = compiling, .id = std::nullopt});
  }
  if (!compiling) {
    submit(tag, std::move(order), **model);
    return {};
  }
  beside([this, tag, order = std::move(order), model = *model]() mutable {
    compile(tag, std::move(order), *model);
  });
  return {};
}

void ServerJobs::refuse(std::uint64_t tag, const Error& error, ServedModel& model) {
  close_job(tag);
  send_error(JobFrame::refused, tag, error, model.jobs().lost());
}

// Else its client was told that it is cancelled, and its place is free only now, so that what waits
// here stays bounded.
bool ServerJobs::is_wanted(std::uint64_t tag, bool compiled) {
  const std::lock_guard lock(mutex_);
  const auto at = open_.find(tag);
  if (at->second.cancelled) {
    open_.erase(at);
    return false;
  }
  at->second.compiling = !compiled;
  return true;
}

void ServerJobs::compile(std::uint64_t tag, JobOrder order, ServedModel& model) {
  if (!is_wanted(tag, /*compiled=*/false)) return;
  const auto constraint = [&]() -> Result<std::shared_ptr<const CompiledConstraint>> {
    try {
      return model.compile_spec(order.constraint->spec, order.constraint->calls);
    } catch (const std::exception& failure) {  // out of memory, mostly
      return Error(Errc::out_of_memory, failure.what());
    }
  }();
  if (!is_wanted(tag, /*compiled=*/true)) return;
  if (!constraint) return refuse(tag, constraint.error(), model);
  order.request.constraint = *constraint;
  submit(tag, std::move(order), model);
}

void ServerJobs::submit(std::uint64_t tag, JobOrder order, ServedModel& model) {
  // What the queue does not check itself.
  for (const auto* ids : {&order.request.stop_tokens, &order.request.visible_tokens})
    for (const TokenId id : *ids)
      if (id < 0 || static_cast<std::uint32_t>(id) >= model.vocab())
        return refuse(
            tag,
            Error(Errc::invalid_argument,
                  fmt::format("token {} of a request: expected 0 to {}", id, model.vocab() - 1)),
            model);
  const auto id = model.jobs().submit(job_of(tag, std::move(order)));
  if (!id) return refuse(tag, id.error(), model);
  bool leave = false;
  {
    const std::lock_guard lock(mutex_);
    const auto at = open_.find(tag);
    if (at == open_.end()) return;  // it is over
    at->second.id = *id;
    leave = at->second.cancelled;
  }
  if (leave) model.jobs().cancel(*id);
}

GenerationJob ServerJobs::job_of(std::uint64_t tag, JobOrder order) {
  GenerationJob job{.client = std::move(order.client), .request = std::move(order.request)};
  job.on_delta = [self = shared_from_this(), tag](const Delta& delta) {
    self->send_delta(tag, delta);
  };
  job.on_prompt = [self = shared_from_this(), tag](std::uint32_t held) {
    {
      const std::lock_guard lock(self->mutex_);
      if (const auto at = self->open_.find(tag); at != self->open_.end()) at->second.begun = true;
    }
    self->send(JobFrame::prompt, tag, encode(held), 0);
  };
  job.on_done = [self = shared_from_this(), tag](const Result<GenerateResult>& result) {
    const Open ended = self->close_job(tag);
    if (result)
      self->send(JobFrame::done, tag, encode(*result), 0);
    else
      self->send_error(JobFrame::failed, tag, result.error(),
                       ended.model != nullptr && ended.model->jobs().lost());
  };
  return job;
}

void ServerJobs::send_delta(std::uint64_t tag, const Delta& delta) {
  // Tokens without text may be many; the text goes with the last of them.
  std::size_t first = 0;
  for (; delta.tokens.size() - first > JobLimits::kDeltaTokensMax;
       first += JobLimits::kDeltaTokensMax) {
    const auto begin = delta.tokens.begin() + static_cast<std::ptrdiff_t>(first);
    const auto size = static_cast<std::ptrdiff_t>(JobLimits::kDeltaTokensMax);
    send(JobFrame::delta, tag, encode(Delta{.text = "", .tokens = {begin, begin + size}}), 0);
  }
  if (first == 0) {
    send(JobFrame::delta, tag, encode(delta), 0);
    return;
  }
  const auto begin = delta.tokens.begin() + static_cast<std::ptrdiff_t>(first);
  send(JobFrame::delta, tag,
       encode(Delta{.text = delta.text, .tokens = {begin, delta.tokens.end()}}), 0);
}

void ServerJobs::cancel(std::uint64_t tag) {
  std::shared_ptr<ServedModel> model;
  std::optional<std::uint64_t> id;
  bool over = false;
  {
    const std::lock_guard lock(mutex_);
    const auto at = open_.find(tag);
    if (at == open_.end()) return;
    model = at->second.model;
    id = at->second.id;
    over = at->second.compiling && !at->second.cancelled;
    at->second.cancelled = true;
  }
  if (over)
    send(JobFrame::done, tag, encode(GenerateResult{.finish = FinishReason::cancelled}), 0);
  else if (id)
    model->jobs().cancel(*id);
}

void ServerJobs::cancel_all() {
  std::vector<std::uint64_t> tags;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [tag, one] : open_) tags.push_back(tag);
  }
  for (const std::uint64_t tag : tags) cancel(tag);
}

void ServerJobs::tell_positions() {
  struct Waiting {
    std::uint64_t tag, id;
    std::shared_ptr<ServedModel> model;
    std::uint32_t told;
  };
  std::vector<Waiting> waiting;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [tag, one] : open_)
      if (one.id && !one.begun) waiting.push_back({tag, *one.id, one.model, one.position});
  }
  for (const Waiting& one : waiting) {
    const auto position = static_cast<std::uint32_t>(one.model->jobs().position(one.id));
    if (position == one.told) continue;
    {
      // Under the lock that the end of a job takes: nothing is said of it after its last message.
      const std::lock_guard lock(mutex_);
      const auto at = open_.find(one.tag);
      if (at == open_.end()) continue;
      at->second.position = position;
      send(JobFrame::position, one.tag, encode(position), 0);
    }
  }
}

}  // namespace drystone
