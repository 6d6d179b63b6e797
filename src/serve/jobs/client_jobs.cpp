#include "serve/jobs/client_jobs.h"

#include <fmt/format.h>

namespace drystone {

bool ClientJobs::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_.has_value();
}

Result<std::uint64_t> ClientJobs::submit(GenerationJob job) {
  const auto payload = encode_order(model_.instance, model_.epoch, job.client, job.request);
  // What the server would not take must not cost the other jobs their connection.
  const auto readable = payload.size() <= JobLimits::kPayloadBytesMax
                            ? decode_order(payload)
                            : Result<JobOrder>(Error(Errc::limit, "too large"));
  if (!readable)
    return Error(Errc::limit,
                 fmt::format("the request takes {} bytes and cannot be sent to the node that "
                             "schedules its model: {}",
                             payload.size(), readable.error().message()));
  auto open = std::make_shared<Open>(
      Open{.job = std::move(job), .has_vector = readable->request.pooling.has_value()});
  open->job.request = {};
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (lost_) return *lost_;
    if (open_.size() >= kJobsMax)
      return Error(Errc::busy,
                   fmt::format("{} requests are on their way to the node that schedules their "
                               "model; try again later",
                               kJobsMax));
    id = ++last_id_;
    open_.emplace(id, std::move(open));
  }
  // If it fails, whoever reads notices as well, and ends this job with the others.
  send(JobFrame::submit, id, payload);
  return id;
}

void ClientJobs::cancel(std::uint64_t id) {
  {
    const std::lock_guard lock(mutex_);
    if (!open_.contains(id)) return;
  }
  send(JobFrame::cancel, id, {});
}

void ClientJobs::cancel_all() {
  std::vector<std::uint64_t> ids;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, open] : open_) ids.push_back(id);
  }
  for (const std::uint64_t id : ids) cancel(id);
}

std::size_t ClientJobs::position(std::uint64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto at = open_.find(id);
  return at == open_.end() ? 0 : at->second->position;
}

std::shared_ptr<ClientJobs::Open> ClientJobs::find(std::uint64_t tag, bool last) {
  const std::lock_guard lock(mutex_);
  const auto at = open_.find(tag);
  if (at == open_.end()) return nullptr;
  auto open = at->second;
  if (last) open_.erase(at);
  return open;
}

Result<void> ClientJobs::take(JobFrame type, std::uint16_t flags, std::uint64_t tag,
                              std::span<const std::byte> payload) {
  if (type == JobFrame::alive) return {};
  // Checked before the job is taken out: one whose end is malformed ends with the connection.
  std::optional<GenerateResult> result;
  if (type == JobFrame::done) result = TRY(decode_result(payload));
  const auto open = find(tag, /*last=*/false);
  if (open == nullptr)
    return Error(Errc::corrupt, fmt::format("a message of job {}, which is not open", tag));
  switch (type) {
    case JobFrame::delta: {
      const Delta delta = TRY(decode_delta(payload));
      TRY(check(delta));
      if (open->job.on_delta) open->job.on_delta(delta);
      return {};
    }
    case JobFrame::prompt: {
      const std::uint32_t held = TRY(decode_number(payload));
      if (open->job.on_prompt) open->job.on_prompt(held);
      return {};
    }
    case JobFrame::position: {
      const std::uint32_t position = TRY(decode_number(payload));
      const std::lock_guard lock(mutex_);
      open->position = position;
      return {};
    }
    case JobFrame::done:
      TRY(check(*result, open->has_vector));
      find(tag, /*last=*/true);
      open->job.on_done(*std::move(result));
      return {};
    case JobFrame::refused:
    case JobFrame::failed: {
      Error error = decode_failure(payload);
      if ((flags & kInstanceLost) != 0) return error;  // this job's and all others' end
      find(tag, /*last=*/true);
      open->job.on_done(std::move(error));
      return {};
    }
    default:
      return Error(Errc::corrupt, fmt::format("a message of type {}", static_cast<int>(type)));
  }
}

Result<void> ClientJobs::check(const Delta& delta) const {
  const auto known = [&](TokenId id) {
    return id >= 0 && static_cast<std::uint32_t>(id) < model_.vocab;
  };
  for (const Sampled& token : delta.tokens) {
    bool fine = known(token.id);
    for (const TokenLogprob& other : token.top) fine = fine && known(other.id);
    if (!fine)
      return Error(Errc::corrupt,
                   fmt::format("token {} in an answer: the model has {}", token.id, model_.vocab));
  }
  return {};
}

Result<void> ClientJobs::check(const GenerateResult& result, bool has_vector) const {
  const bool wanted = has_vector && result.finish == FinishReason::stop;
  const std::size_t expected = wanted ? model_.width : 0;
  if (result.hidden.size() == expected) return {};
  return Error(Errc::corrupt,
               fmt::format("a vector of {} values, expected {}", result.hidden.size(), expected));
}

void ClientJobs::lose(const Error& why) {
  std::map<std::uint64_t, std::shared_ptr<Open>> open;
  {
    const std::lock_guard lock(mutex_);
    lost_ = why;
    open.swap(open_);
  }
  for (const auto& [id, one] : open) one->job.on_done(why);
}

}  // namespace drystone
