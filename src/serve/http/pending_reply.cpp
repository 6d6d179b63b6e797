#include "serve/http/pending_reply.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <new>
#include <utility>

namespace drystone {
namespace asio = boost::asio;

namespace {
std::size_t held_bytes(const Delta& delta) {
  std::size_t bytes = sizeof(Delta) + delta.text.size();
  for (const Sampled& token : delta.tokens)
    bytes += sizeof(Sampled) + token.top.size() * sizeof(TokenLogprob);
  return bytes;
}
}  // namespace

Result<PendingReply> PendingReply::start(const asio::any_io_executor& loop, JobQueue& jobs,
                                         Client client, GenerateRequest request,
                                         std::size_t unsent_bytes_max) {
  auto inbox = std::make_shared<Inbox>(loop, std::move(client.trace), request.prompt.size());
  request.priority = std::max(request.priority, client.priority_min);
  GenerationJob job{.client = std::move(client.name), .request = std::move(request)};
  job.on_delta = [loop, inbox, unsent_bytes_max](const Delta& delta) {
    if (inbox->overflowed) return;
    if (inbox->unsent_bytes.fetch_add(held_bytes(delta)) > unsent_bytes_max)
      inbox->overflowed = true;
    try {
      asio::post(loop, [inbox, delta]() mutable { inbox->keep(std::move(delta)); });
    } catch (const std::bad_alloc&) {
      inbox->out_of_memory = true;  // the answer ends here, and not the thread of the steps
    }
  };
  // Nobody is woken for this: who waits looks now and then.
  job.on_prompt = [inbox](std::uint32_t held) { inbox->prompt_held = held; };
  job.on_done = [loop, inbox](Result<GenerateResult> result) {
    asio::post(loop, [inbox, result = std::move(result)]() mutable {
      inbox->trace.over(result);
      inbox->result = std::move(result);
      inbox->wake.cancel();
    });
  };
  const std::uint64_t id = TRY(jobs.submit(std::move(job)));
  return PendingReply(std::move(inbox), jobs, id);
}

void PendingReply::Inbox::keep(Delta delta) {
  trace.came(delta);
  try {
    if (!overflowed && !out_of_memory) deltas.push_back(std::move(delta));
  } catch (const std::bad_alloc&) {
    out_of_memory = true;
  }
  wake.cancel();
}

PendingReply::~PendingReply() {
  if (inbox_ == nullptr || inbox_->result) return;
  inbox_->trace.abandoned();
  jobs_->cancel(id_);
}

PendingReply::Progress PendingReply::progress() const {
  const std::int64_t held = inbox_->prompt_held;
  Progress out{.admitted = held >= 0, .prompt_tokens = inbox_->prompt_tokens};
  if (out.admitted)
    out.prompt_held = static_cast<std::uint32_t>(held);
  else
    out.before = jobs_->position(id_);
  return out;
}

asio::awaitable<void> PendingReply::wait(std::chrono::milliseconds patience) {
  if (!idle() || inbox_->overflowed) co_return;
  inbox_->wake.expires_after(patience);
  co_await inbox_->wake.async_wait(asio::as_tuple(asio::use_awaitable));
}

std::vector<Delta> PendingReply::take() {
  if (inbox_->out_of_memory) throw std::bad_alloc();
  std::size_t bytes = 0;
  for (const Delta& delta : inbox_->deltas) bytes += held_bytes(delta);
  inbox_->unsent_bytes -= bytes;
  return std::exchange(inbox_->deltas, {});
}

}  // namespace drystone
