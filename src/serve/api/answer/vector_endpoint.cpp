// The endpoints that answer with vectors: their jobs run a few at a time among everybody's.
#include <fmt/format.h>

#include <boost/asio/awaitable.hpp>
#include <cmath>
#include <deque>

#include "serve/api/answer/dialect_endpoints.h"
#include "serve/api/answer/job_error.h"

namespace drystone {
using boost::asio::awaitable;

namespace {

// Enough to fill a step, few enough to leave room among those that run (serve's --parallel is 16).
constexpr std::size_t kVectorsAtOnce = 8;

std::optional<ApiError> check_finite(const std::vector<float>& values, std::size_t text) {
  for (const float value : values)
    if (!std::isfinite(value))
      return ApiError{.message = fmt::format("The model computed values that are no numbers for "
                                             "text {}: its file may be damaged.",
                                             text)};
  return std::nullopt;
}

}  // namespace

// The jobs of one request, on their way in order.
struct DialectEndpoints::RunningVectors {
  HeldModel held;
  std::vector<GenerateRequest> jobs;
  std::deque<PendingReply> open;  // of the jobs from results.size() on
  std::vector<GenerateResult> results;

  // The last first: where one that runs ends, none that waits may begin in its place.
  ~RunningVectors() {
    while (!open.empty()) open.pop_back();
  }

  bool done() const { return results.size() == jobs.size(); }

  // Hands out as many as may run at once.
  std::optional<ApiError> start(const boost::asio::any_io_executor& loop, JobQueue& queue,
                                const Client& client) {
    while (open.size() < kVectorsAtOnce && results.size() + open.size() < jobs.size()) {
      auto pending = PendingReply::start(loop, queue, client, jobs[results.size() + open.size()],
                                         std::numeric_limits<std::size_t>::max());
      // A full queue: one of ours makes room when it ends.
      if (pending.is(Errc::busy) && !open.empty()) break;
      if (!pending) return not_taken(pending.error());
      open.push_back(std::move(*pending));
    }
    return std::nullopt;
  }

  std::optional<ApiError> take() {
    while (!open.empty() && open.front().result()) {
      Result<GenerateResult> result = *open.front().result();
      open.pop_front();
      if (!result) return to_api_error(result.error());
      if (result->finish == FinishReason::cancelled) return cancelled_error(held);
      if (auto error = check_finite(result->hidden, results.size())) return error;
      results.push_back(*std::move(result));
    }
    return std::nullopt;
  }
};

void DialectEndpoints::add_vectors(Router& router, std::string path, PrepareVectors prepare) {
  router.add(
      "POST", std::move(path),
      [this, prepare = std::move(prepare)](const HttpRequest& request, ReplySink& sink) {
        return vectors(request, sink, prepare);
      },
      error_body_);
}

awaitable<void> DialectEndpoints::vectors(const HttpRequest& request, ReplySink& sink,
                                          const PrepareVectors& prepare) {
  std::optional<ApiResult<VectorRequest>> prepared;
  if (const auto error = context_.host.refusal()) {
    prepared = *error;
  } else {
    const std::function<void()> job = [&] { prepared = prepare(request); };
    const auto refused = co_await preparing_.run(job);
    if (refused) prepared = *refused;
  }
  if (!*prepared) {
    HttpReply reply = refusal(prepared->error());
    co_await sink.send(std::move(reply));
    co_return;
  }
  VectorRequest& what = **prepared;
  RunningVectors running{.held = what.held, .jobs = std::move(what.jobs)};
  const Client client = context_.access.client(request);
  if (client.trace != nullptr) client.trace->record.model = what.held.name();
  std::optional<ApiError> failed;
  while (!failed && !running.done()) {
    failed = running.start(context_.loop, what.held.model().jobs(), client);
    if (!failed) failed = what.held.gone();
    if (failed) break;
    co_await running.open.front().wait(context_.limits.keep_alive_every);
    failed = running.take();
  }
  HttpReply reply;
  if (failed) {
    reply = refusal(*failed);
  } else {
    const std::function<void()> job = [&] { reply.body = what.write(running.results); };
    const auto refused = co_await preparing_.run(job);
    if (refused) reply = refusal(*refused);
  }
  add_headers(reply.headers, what.id, what.ignored);
  co_await sink.send(std::move(reply));
}

}  // namespace drystone
