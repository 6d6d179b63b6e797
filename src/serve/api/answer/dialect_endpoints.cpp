#include "serve/api/answer/dialect_endpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <limits>

#include "serve/api/answer/job_error.h"

namespace drystone {
namespace asio = boost::asio;
using asio::awaitable;

namespace {

// Names of unknown parameters, as a header value: only what is harmless there.
std::string header_list(const std::vector<std::string>& names) {
  std::string out;
  std::size_t count = 0;
  for (const std::string& name : names) {
    const bool plain = !name.empty() && name.size() <= 64 &&
                       name.find_first_not_of(
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
                           std::string::npos;
    if (plain && count++ < kIgnoredNamesMax) out += (out.empty() ? "" : ", ") + name;
  }
  return out;
}

ApiError too_many(std::size_t jobs, std::size_t queue_max) {
  return invalid_request("n",
                         fmt::format("This request can never fit: it asks for {} answers, and the "
                                     "queue holds {}. Ask for fewer, or start the server with a "
                                     "larger --queue.",
                                     jobs, queue_max),
                         "invalid_value");
}

}  // namespace

// The choices of one answer, on their way.
struct DialectEndpoints::Running {
  HeldModel held;  // for as long as anything of it runs
  std::unique_ptr<AnswerWriter> writer;
  HttpHeaders headers;
  std::vector<PendingReply> pending;
  std::vector<ChoiceAnswer> choices;

  // Takes what has come, and writes it when `out` is given. Nothing when all is well.
  std::optional<ApiError> take(std::string* out) {
    for (std::size_t i = 0; i < choices.size(); ++i) {
      ChoiceAnswer& choice = choices[i];
      for (const Delta& delta : pending[i].take()) {
        const auto parts = choice.push(delta);
        if (out != nullptr) *out += writer->parts(i, choice, parts, delta.tokens);
      }
      if (choice.done || !pending[i].result()) continue;
      const Result<GenerateResult>& result = *pending[i].result();
      if (!result) return to_api_error(result.error());
      if (result->finish == FinishReason::cancelled) return cancelled_error(held);
      const auto parts = choice.finish(*result);
      if (out == nullptr) continue;
      *out += writer->parts(i, choice, parts, {});
      *out += writer->end_choice(i, choice);
    }
    return std::nullopt;
  }
  bool done() const {
    return std::all_of(choices.begin(), choices.end(), [](const auto& one) { return one.done; });
  }
  bool idle() const {
    for (std::size_t i = 0; i < choices.size(); ++i)
      if (!choices[i].done && !pending[i].idle()) return false;
    return true;
  }
  bool overflowed() const {
    return std::any_of(pending.begin(), pending.end(),
                       [](const auto& one) { return one.overflowed(); });
  }
  // Of the choice that is furthest.
  AnswerProgress progress() const {
    using Stage = AnswerProgress::Stage;
    AnswerProgress out{.position = std::numeric_limits<std::size_t>::max()};
    for (std::size_t i = 0; i < choices.size(); ++i) {
      const PendingReply::Progress one = pending[i].progress();
      if (choices[i].started || choices[i].done || one.prompt_held >= one.prompt_tokens)
        return {.stage = Stage::writing};
      if (!one.admitted) {
        out.position = std::min(out.position, one.before + 1);
      } else if (out.stage == Stage::waiting || one.prompt_held > out.prompt_held) {
        out.stage = Stage::reading;
        out.prompt_held = one.prompt_held;
        out.prompt_tokens = one.prompt_tokens;
      }
    }
    return out;
  }
};

// What a stream says while it has no text to send.
class DialectEndpoints::Quiet {
 public:
  explicit Quiet(const ServerLimits& limits) : limits_(limits) {}

  // How long to wait for text.
  std::chrono::milliseconds patience(const Running& running) {
    const bool writing = running.progress().stage == AnswerProgress::Stage::writing;
    patience_ = writing ? limits_.keep_alive_every
                        : std::min(limits_.progress_every, limits_.keep_alive_every);
    return patience_;
  }
  // After that wait.
  std::string say(const Running& running) {
    if (!running.idle()) {
      quiet_ = {};
      return {};
    }
    quiet_ += patience_;
    const AnswerProgress progress = running.progress();
    if (quiet_ >= limits_.keep_alive_every) {
      quiet_ = {};
      return running.writer->keep_alive(progress);
    }
    std::string news = running.writer->progress(progress);
    if (news == last_) return {};
    return last_ = std::move(news);
  }

 private:
  const ServerLimits& limits_;
  std::chrono::milliseconds patience_{}, quiet_{};  // quiet_: since there was text, or a keep-alive
  std::string last_;                                // progress that was told
};

HttpReply DialectEndpoints::refusal(const ApiError& error) const {
  HttpReply reply = error_reply(error);
  reply.body = error_body_(error);
  return reply;
}

void DialectEndpoints::add_headers(HttpHeaders& headers, const std::string& id,
                                   const std::vector<std::string>& ignored) {
  headers.emplace_back("X-Request-Id", id);
  if (std::string names = header_list(ignored); !names.empty())
    headers.emplace_back("Drystone-Ignored-Parameters", std::move(names));
}

void DialectEndpoints::add_answer(Router& router, std::string path, Prepare prepare) {
  router.add(
      "POST", std::move(path),
      [this, prepare = std::move(prepare)](const HttpRequest& request, ReplySink& sink) {
        return answer(request, sink, prepare);
      },
      error_body_);
}

void DialectEndpoints::add_work(Router& router, std::string method, std::string path, Work job) {
  OffLoop& thread = method == "POST" ? preparing_ : looking_up_;
  router.add(
      std::move(method), std::move(path),
      [this, job = std::move(job), &thread](const HttpRequest& request, ReplySink& sink) {
        return work(request, sink, job, thread);
      },
      error_body_);
}

awaitable<void> DialectEndpoints::work(const HttpRequest& request, ReplySink& sink,
                                       const Work& work, OffLoop& thread) {
  std::optional<ApiResult<boost::json::value>> result;
  if (const auto error = context_.host.refusal()) {
    result = *error;
  } else {
    const std::function<void()> job = [&] { result = work(request); };
    const auto refused = co_await thread.run(job);
    if (refused) result = *refused;
  }
  HttpReply reply;
  if (*result)
    reply.body = boost::json::serialize(**result);
  else
    reply = refusal(result->error());
  co_await sink.send(std::move(reply));
}

awaitable<void> DialectEndpoints::answer(const HttpRequest& request, ReplySink& sink,
                                         const Prepare& prepare) {
  std::optional<ApiResult<PreparedAnswer>> prepared;
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
  PreparedAnswer& what = **prepared;
  Running running{.held = what.held, .writer = std::move(what.writer)};
  JobQueue& queue = what.held.model().jobs();
  add_headers(running.headers, what.id, what.ignored);
  // A whole answer is collected here in any case; its bound is the context.
  const std::size_t unsent_bytes_max =
      what.stream ? context_.limits.unsent_bytes_max : std::numeric_limits<std::size_t>::max();
  const Client client = context_.access.client(request);
  if (client.trace != nullptr) client.trace->record.model = what.held.name();
  std::optional<ApiError> full;
  const std::size_t queue_max = queue.queue_max();
  if (what.jobs.size() > queue_max) full = too_many(what.jobs.size(), queue_max);
  for (GenerateRequest& job : what.jobs) {
    if (full) break;
    auto pending =
        PendingReply::start(context_.loop, queue, client, std::move(job), unsent_bytes_max);
    if (!pending) {
      full = not_taken(pending.error());
      continue;
    }
    running.pending.push_back(std::move(*pending));
    running.choices.emplace_back(what.answer);
    if (what.answer.splitter) ++what.answer.splitter->id_seed;
  }
  // Behind submit(), so that one that was removed meanwhile gets no job that stays.
  if (!full) full = what.held.gone();
  if (full) {
    HttpReply reply = refusal(*full);
    co_await sink.send(std::move(reply));
  } else if (what.stream) {
    co_await send_stream(running, sink);
  } else {
    co_await send_whole(running, sink);
  }
}

awaitable<void> DialectEndpoints::wait_for_any(Running& running,
                                               std::chrono::milliseconds patience) {
  std::vector<PendingReply*> open;
  for (std::size_t i = 0; i < running.choices.size(); ++i)
    if (!running.choices[i].done) open.push_back(&running.pending[i]);
  if (open.size() == 1) {
    co_await open[0]->wait(patience);
    co_return;
  }
  const auto start = [&](PendingReply& one) {
    return asio::co_spawn(context_.loop, one.wait(patience), asio::deferred);
  };
  std::vector<decltype(start(*open[0]))> waits;
  waits.reserve(open.size());
  for (PendingReply* one : open) waits.push_back(start(*one));
  auto group = asio::experimental::make_parallel_group(std::move(waits));
  co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
}

awaitable<void> DialectEndpoints::send_whole(Running& running, ReplySink& sink) {
  std::optional<ApiError> failed;
  while (true) {
    failed = running.take(nullptr);
    if (failed || running.done()) break;
    co_await wait_for_any(running, context_.limits.keep_alive_every);
  }
  HttpReply reply;
  if (failed)
    reply = refusal(*failed);
  else
    reply.body = running.writer->whole(running.choices);
  for (auto& header : running.headers) reply.headers.push_back(std::move(header));
  co_await sink.send(std::move(reply));
}

awaitable<void> DialectEndpoints::send_stream(Running& running, ReplySink& sink) {
  AnswerWriter& writer = *running.writer;
  running.headers.emplace_back("Content-Type", writer.content_type());
  const bool begun = co_await sink.begin_events(std::move(running.headers));
  if (!begun) co_return;
  std::string out = writer.begin();
  Quiet quiet(context_.limits);
  while (true) {
    const auto failed = running.take(&out);
    if (failed) out += writer.error(*failed);
    if (!failed && running.done()) out += writer.end(running.choices);
    if (failed || running.done()) break;
    if (!out.empty()) {
      const bool taken = co_await sink.write_events(std::exchange(out, {}));
      if (!taken) co_return;
    }
    co_await wait_for_any(running, quiet.patience(running));
    // Too far behind: the session closes, so that the answer has no end.
    if (running.overflowed()) co_return;
    out = quiet.say(running);
  }
  if (!out.empty()) {
    const bool taken = co_await sink.write_events(std::move(out));
    if (!taken) co_return;
  }
  co_await sink.end_events();
}

}  // namespace drystone
