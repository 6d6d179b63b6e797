#include "serve/jobs/job_server.h"

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <optional>

#include "net/frame.h"

namespace drystone {

// What the callbacks of jobs use, which may come after the server has gone.
struct JobServer::Shared : std::enable_shared_from_this<JobServer::Shared> {
  struct Open {
    std::shared_ptr<ServedModel> model;
    std::optional<std::uint64_t> id;  // in its queue, once it was taken
    bool begun = false;
    std::uint32_t position = 0;  // that was told
  };

  Shared(std::unique_ptr<DataStream> connection, Find finder, const Options& options)
      : stream(std::move(connection)),
        find(std::move(finder)),
        waits(options.waits),
        sender(*stream, {.waiting_bytes_max = options.waiting_bytes_max,
                         .waits = options.waits,
                         .look = [this] { tell_positions(); }}) {}

  Result<void> take(const FrameHeader& header, std::span<const std::byte> payload);
  Result<void> start(std::uint64_t tag, std::span<const std::byte> message);
  Result<std::uint64_t> submit(std::uint64_t tag, JobOrder order, ServedModel& model);
  GenerationJob job_of(std::uint64_t tag, JobOrder order);
  void cancel(std::uint64_t tag);
  void cancel_all();
  void tell_positions();
  void send_delta(std::uint64_t tag, const Delta& delta);
  void send_error(JobFrame type, std::uint64_t tag, const Error& error, bool lost) {
    sender.send(type, tag, encode(error), lost ? kInstanceLost : std::uint16_t{0});
  }
  Open close_job(std::uint64_t tag) {
    const std::lock_guard lock(mutex);
    auto node = open.extract(tag);
    return node.empty() ? Open{} : std::move(node.mapped());
  }

  const std::unique_ptr<DataStream> stream;
  const Find find;
  const JobWaits waits;
  std::mutex mutex;  // of open
  std::map<std::uint64_t, Open> open;
  std::uint64_t last_tag = 0;
  FrameSender sender;  // last: its thread uses the rest
};

JobServer::JobServer(std::unique_ptr<DataStream> stream, Find find, Options options)
    : shared_(std::make_shared<Shared>(std::move(stream), std::move(find), options)) {}
JobServer::~JobServer() {
  close();
  shared_->cancel_all();
}
void JobServer::close() { shared_->sender.end(); }

Result<void> JobServer::serve() {
  FrameStream frames(*shared_->stream, {.payload_bytes_max = JobLimits::kPayloadBytesMax});
  const auto serve_one = [&]() -> Result<void> {
    const StreamWait wait{.within = shared_->waits.silence_max};
    const FrameHeader header = TRY(frames.read_header(wait));
    const auto payload = TRY(frames.read_rest(wait));
    return shared_->take(header, payload);
  };
  Result<void> result;
  while (result) result = serve_one();
  close();
  shared_->cancel_all();
  return result;
}

Result<void> JobServer::Shared::take(const FrameHeader& header,
                                     std::span<const std::byte> payload) {
  switch (static_cast<JobFrame>(header.type)) {
    case JobFrame::alive:
      return {};
    case JobFrame::submit:
      return start(header.tag, payload);
    case JobFrame::cancel:
      cancel(header.tag);  // which may have ended meanwhile
      return {};
    default:
      return Error(Errc::corrupt,
                   fmt::format("a message of type {} to a server of jobs", header.type));
  }
}

Result<void> JobServer::Shared::start(std::uint64_t tag, std::span<const std::byte> message) {
  if (tag <= last_tag)
    return Error(Errc::corrupt, fmt::format("job {} behind job {}", tag, last_tag));
  last_tag = tag;
  JobOrder order = TRY(decode_order(message));
  bool full = false;
  {
    const std::lock_guard lock(mutex);
    full = open.size() >= kJobsMax;
  }
  if (full) {
    send_error(JobFrame::refused, tag,
               Error(Errc::unavailable, fmt::format("{} requests of one node run or wait already; "
                                                    "try again later",
                                                    kJobsMax)),
               /*lost=*/false);
    return {};
  }
  const auto model = find(order.instance, order.epoch);
  if (!model) {
    send_error(JobFrame::refused, tag, model.error(), /*lost=*/true);
    return {};
  }
  {
    const std::lock_guard lock(mutex);
    open.emplace(tag, Open{.model = *model, .id = std::nullopt});
  }
  const auto id = submit(tag, std::move(order), **model);
  if (id) {
    const std::lock_guard lock(mutex);
    if (const auto at = open.find(tag); at != open.end()) at->second.id = *id;
    return {};
  }
  close_job(tag);
  send_error(JobFrame::refused, tag, id.error(), (*model)->jobs().lost());
  return {};
}

Result<std::uint64_t> JobServer::Shared::submit(std::uint64_t tag, JobOrder order,
                                                ServedModel& model) {
  // What the queue does not check itself.
  for (const auto* ids : {&order.request.stop_tokens, &order.request.visible_tokens})
    for (const TokenId id : *ids)
      if (id < 0 || static_cast<std::uint32_t>(id) >= model.vocab())
        return Error(Errc::invalid_argument,
                     fmt::format("token {} of a request: expected 0 to {}", id, model.vocab() - 1));
  if (order.constraint)
    order.request.constraint =
        TRY(model.compile_spec(order.constraint->spec, order.constraint->calls));
  return model.jobs().submit(job_of(tag, std::move(order)));
}

GenerationJob JobServer::Shared::job_of(std::uint64_t tag, JobOrder order) {
  GenerationJob job{.client = std::move(order.client), .request = std::move(order.request)};
  job.on_delta = [self = shared_from_this(), tag](const Delta& delta) {
    self->send_delta(tag, delta);
  };
  job.on_prompt = [self = shared_from_this(), tag](std::uint32_t held) {
    {
      const std::lock_guard lock(self->mutex);
      if (const auto at = self->open.find(tag); at != self->open.end()) at->second.begun = true;
    }
    self->sender.send(JobFrame::prompt, tag, encode(held));
  };
  job.on_done = [self = shared_from_this(), tag](const Result<GenerateResult>& result) {
    const Open ended = self->close_job(tag);
    if (result)
      self->sender.send(JobFrame::done, tag, encode(*result));
    else
      self->send_error(JobFrame::failed, tag, result.error(),
                       ended.model != nullptr && ended.model->jobs().lost());
  };
  return job;
}

void JobServer::Shared::send_delta(std::uint64_t tag, const Delta& delta) {
  // Tokens without text may be many; the text goes with the last of them.
  std::size_t first = 0;
  for (; delta.tokens.size() - first > JobLimits::kDeltaTokensMax;
       first += JobLimits::kDeltaTokensMax) {
    const auto begin = delta.tokens.begin() + static_cast<std::ptrdiff_t>(first);
    const auto size = static_cast<std::ptrdiff_t>(JobLimits::kDeltaTokensMax);
    sender.send(JobFrame::delta, tag, encode(Delta{.text = "", .tokens = {begin, begin + size}}));
  }
  if (first == 0) {
    sender.send(JobFrame::delta, tag, encode(delta));
    return;
  }
  const auto begin = delta.tokens.begin() + static_cast<std::ptrdiff_t>(first);
  sender.send(JobFrame::delta, tag,
              encode(Delta{.text = delta.text, .tokens = {begin, delta.tokens.end()}}));
}

void JobServer::Shared::cancel(std::uint64_t tag) {
  std::shared_ptr<ServedModel> model;
  std::optional<std::uint64_t> id;
  {
    const std::lock_guard lock(mutex);
    const auto at = open.find(tag);
    if (at == open.end()) return;
    model = at->second.model;
    id = at->second.id;
  }
  if (id) model->jobs().cancel(*id);
}

void JobServer::Shared::cancel_all() {
  std::vector<std::uint64_t> tags;
  {
    const std::lock_guard lock(mutex);
    for (const auto& [tag, one] : open) tags.push_back(tag);
  }
  for (const std::uint64_t tag : tags) cancel(tag);
}

void JobServer::Shared::tell_positions() {
  struct Waiting {
    std::uint64_t tag, id;
    std::shared_ptr<ServedModel> model;
    std::uint32_t told;
  };
  std::vector<Waiting> waiting;
  {
    const std::lock_guard lock(mutex);
    for (const auto& [tag, one] : open)
      if (one.id && !one.begun) waiting.push_back({tag, *one.id, one.model, one.position});
  }
  for (const Waiting& one : waiting) {
    const auto position = static_cast<std::uint32_t>(one.model->jobs().position(one.id));
    if (position == one.told) continue;
    {
      // Under the lock that the end of a job takes: nothing is said of it after its last message.
      const std::lock_guard lock(mutex);
      const auto at = open.find(one.tag);
      if (at == open.end()) continue;
      at->second.position = position;
      sender.send(JobFrame::position, one.tag, encode(position));
    }
  }
}

}  // namespace drystone
